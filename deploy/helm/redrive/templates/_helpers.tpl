{{- define "redrive.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- define "redrive.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- $name := include "redrive.name" . -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "redrive.selector" -}}
app.kubernetes.io/name: {{ include "redrive.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "redrive.labels" -}}
{{ include "redrive.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{- define "redrive.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{- define "redrive.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- .Values.serviceAccount.name | default (include "redrive.fullname" .) -}}
{{- else -}}
{{- .Values.serviceAccount.name | default "default" -}}
{{- end -}}
{{- end -}}

{{- /* A variable whose value is in a Secret: list of context, variable and the reference. */ -}}
{{- define "redrive.secretEnv" -}}
{{- $root := index . 0 -}}
{{- $reference := index . 2 -}}
- name: {{ index . 1 }}
  valueFrom:
    secretKeyRef:
      name: {{ $reference.existingSecret | default $root.Values.secrets.existingSecret }}
      key: {{ $reference.key }}
{{- end -}}

{{- /* What every process needs, the migration included. */ -}}
{{- define "redrive.databaseEnv" -}}
{{ include "redrive.secretEnv" (list . "DATABASE_URL" .Values.secrets.databaseUrl) }}
- name: REDRIVE_LOG_LEVEL
  value: {{ .Values.config.logLevel | quote }}
{{- if .Values.config.extraCa.existingSecret }}
- name: NODE_EXTRA_CA_CERTS
  value: /etc/redrive/ca/{{ .Values.config.extraCa.key }}
{{- end }}
{{- end -}}

{{- /* The same where its Secret has a key, and nothing where it has none. */ -}}
{{- define "redrive.optionalSecretEnv" -}}
{{- if (index . 2).key }}
{{ include "redrive.secretEnv" . }}
{{- end }}
{{- end -}}

{{- define "redrive.serviceEnv" -}}
{{ include "redrive.databaseEnv" . }}
{{ include "redrive.secretEnv" (list . "REDRIVE_MASTER_KEY" .Values.secrets.masterKey) }}
{{- include "redrive.optionalSecretEnv" (list . "REDRIVE_OTHER_MASTER_KEY" .Values.secrets.otherMasterKey) }}
{{- include "redrive.optionalSecretEnv" (list . "REDRIVE_EGRESS_PROXY" .Values.secrets.egressProxy) }}
- name: REDRIVE_HOST
  value: 0.0.0.0
- name: REDRIVE_METRICS_PORT
  value: '9464'
- name: REDRIVE_TASK_QUEUE_PREFIX
  value: {{ .Values.config.taskQueuePrefix | quote }}
- name: TEMPORAL_ADDRESS
  value: {{ .Values.temporal.address | quote }}
- name: TEMPORAL_NAMESPACE
  value: {{ .Values.temporal.namespace | quote }}
{{- with .Values.temporal.apiKey }}
{{- if .existingSecret }}
{{ include "redrive.secretEnv" (list $ "TEMPORAL_API_KEY" .) }}
{{- end }}
{{- end }}
{{- with .Values.temporal.tls }}
{{- if .enabled }}
- name: TEMPORAL_TLS
  value: 'true'
{{- if .serverName }}
- name: TEMPORAL_TLS_SERVER_NAME
  value: {{ .serverName | quote }}
{{- end }}
{{- if .existingSecret }}
- name: TEMPORAL_TLS_CLIENT_CERT_PATH
  value: /etc/redrive/temporal/tls.crt
- name: TEMPORAL_TLS_CLIENT_KEY_PATH
  value: /etc/redrive/temporal/tls.key
{{- if .ca }}
- name: TEMPORAL_TLS_SERVER_CA_CERT_PATH
  value: /etc/redrive/temporal/ca.crt
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- with .Values.config.allowedNetworks }}
- name: REDRIVE_ALLOWED_NETWORKS
  value: {{ join "," . | quote }}
{{- end }}
{{- with .Values.config.traces }}
{{- if .endpoint }}
- name: OTEL_EXPORTER_OTLP_ENDPOINT
  value: {{ .endpoint | quote }}
- name: OTEL_TRACES_SAMPLER_ARG
  value: {{ printf "%.6f" (float64 .ratio) | quote }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "redrive.podSecurity" -}}
runAsNonRoot: true
runAsUser: 1000
runAsGroup: 1000
fsGroup: 1000
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "redrive.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{- define "redrive.volumeMounts" -}}
- name: tmp
  mountPath: /tmp
{{- if .Values.config.extraCa.existingSecret }}
- name: ca
  mountPath: /etc/redrive/ca
  readOnly: true
{{- end }}
{{- if and .Values.temporal.tls.enabled .Values.temporal.tls.existingSecret }}
- name: temporal-tls
  mountPath: /etc/redrive/temporal
  readOnly: true
{{- end }}
{{- end -}}

{{- define "redrive.volumes" -}}
- name: tmp
  emptyDir: { sizeLimit: 64Mi }
{{- if .Values.config.extraCa.existingSecret }}
- name: ca
  secret:
    secretName: {{ .Values.config.extraCa.existingSecret }}
    items: [{ key: {{ .Values.config.extraCa.key }}, path: {{ .Values.config.extraCa.key }} }]
{{- end }}
{{- if and .Values.temporal.tls.enabled .Values.temporal.tls.existingSecret }}
- name: temporal-tls
  secret:
    secretName: {{ .Values.temporal.tls.existingSecret }}
{{- end }}
{{- end -}}

{{- /* Apart where the cluster can, together where it cannot: list of context and component. */ -}}
{{- define "redrive.spread" -}}
{{- $root := index . 0 -}}
{{- $component := index . 1 -}}
{{- range $key := list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
- maxSkew: 1
  topologyKey: {{ $key }}
  whenUnsatisfiable: ScheduleAnyway
  labelSelector:
    matchLabels:
      {{- include "redrive.selector" $root | nindent 6 }}
      app.kubernetes.io/component: {{ $component }}
{{- end }}
{{- end -}}

{{- define "redrive.placement" -}}
{{- with .nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}
