-- Which presets there are is said by the surfaces: a further surface with one of its own changes no table.
alter table endpoint_versions drop constraint endpoint_versions_preset_check;
