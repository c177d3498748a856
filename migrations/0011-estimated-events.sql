-- Why: whoever asks for a replay of a range is told how many events it is about, then and whenever they ask again. What
-- is left of the range changes while it is replayed, so that counting again would answer something else.

alter table operations add column estimated_events int check (estimated_events >= 0);
