{{- define "strongroom.name" -}}{{ .Release.Name | trunc 40 | trimSuffix "-" }}{{- end }}

{{- define "strongroom.selector" -}}
app.kubernetes.io/name: strongroom
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "strongroom.labels" -}}
{{ include "strongroom.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "strongroom.image" -}}
{{- if .Values.image.digest }}{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else }}{{ .Values.image.repository }}:{{ .Values.image.tag }}{{ end -}}
{{- end }}

{{/* The pod's part of the restricted standard. The group lets who is given a Secret read it; nothing else belongs to it. */}}
{{- define "strongroom.podSecurity" -}}
runAsNonRoot: true
runAsGroup: {{ .Values.users.group }}
fsGroup: {{ .Values.users.group }}
fsGroupChangePolicy: OnRootMismatch
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "strongroom.containerSecurity" -}}
runAsUser: {{ .user }}
runAsGroup: {{ .group }}
runAsNonRoot: true
allowPrivilegeEscalation: false
privileged: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{/* A Secret's files belong to root and are its group's to read. Each process wants its own, with mode 0400: made here. */}}
{{- define "strongroom.takeSecrets" -}}
command: [/bin/sh, -ec]
args:
  - |
    umask 077
    for file in /given/*; do
      cp -L "$file" "/secrets/.new"
      chmod 0400 /secrets/.new
      mv -f /secrets/.new "/secrets/${file##*/}"
    done
resources:
  requests: {cpu: 10m, memory: 16Mi}
  limits: {cpu: 100m, memory: 32Mi}
{{- end }}

{{/* The Secret with the certificate for browsers, if they have their own. */}}
{{- define "strongroom.browserTls" -}}
{{- with .Values.browser }}{{ if .enabled }}{{ .tlsSecretName }}{{ end }}{{ end -}}
{{- end }}

{{- define "strongroom.databaseUrl" -}}
{{- $more := list (printf "passfile=%s" "/secrets/pgpass") -}}
{{- if contains "sslmode=" .url }}{{ $more = append $more "sslrootcert=/secrets/ca.pem" }}{{ end -}}
{{ .url }}{{ if contains "?" .url }}&{{ else }}?{{ end }}{{ join "&" $more }}
{{- end }}

{{- define "strongroom.toml" -}}
{{- $tables := deepCopy .Values.settings -}}
audience = {{ .Values.audience | toJson }}
database = {{ include "strongroom.databaseUrl" (dict "url" .Values.database.url) | toJson }}
data_dir = "/var/lib/strongroom"
run_dir = "/run/strongroom/sockets"
tenants_dir = "/etc/strongroom/tenants"
drain_wait_seconds = {{ .Values.drain.waitSeconds | float64 }}
drain_grace_seconds = {{ .Values.drain.graceSeconds | float64 }}

[listen]
host = {{ .Values.listenHost | toJson }}
port = {{ .Values.ports.grpc | int }}
tls_certificate_file = "/tls/tls.crt"
tls_key_file = "/tls/tls.key"
{{- if .Values.browser.enabled }}

[browser]
host = {{ .Values.listenHost | toJson }}
port = {{ .Values.ports.browser | int }}
{{- if .Values.browser.tlsSecretName }}
tls_certificate_file = "/browser-tls/tls.crt"
tls_key_file = "/browser-tls/tls.key"
{{- end }}
{{- end }}

[health]
host = {{ .Values.listenHost | toJson }}
port = {{ .Values.ports.health | int }}

[metrics]
host = {{ .Values.listenHost | toJson }}
port = {{ .Values.ports.metrics | int }}

[users]
front_uid = {{ .Values.users.front | int }}
front_gid = {{ .Values.users.group | int }}
keeper_uid = {{ .Values.users.keeper | int }}
keeper_gid = {{ .Values.users.group | int }}

[keepers]
count = {{ .Values.keepers.count | int }}
log_file = "/var/lib/strongroom/fulfilled.log"

[pkcs11]
module_file = {{ .Values.pkcs11.moduleFile | toJson }}
token_label = {{ .Values.pkcs11.tokenLabel | toJson }}
pin_file = "/secrets/pin"

[pkcs11.environment]
{{- range $name, $value := .Values.pkcs11.environment }}
{{ $name }} = {{ $value | toJson }}
{{- end }}

{{- if .Values.owners.bundlesConfigMap }}

[owners]
bundles_dir = "/etc/strongroom/owner-bundles"
key_files = [{{ range $place, $name := .Values.owners.keyFiles }}{{ if $place }}, {{ end }}{{ printf "/etc/strongroom/owner-keys/%s" $name | toJson }}{{ end }}]
{{- end }}

[postgresql]
single_node = {{ .Values.database.singleNode }}
{{- range $table, $lines := $tables }}

[{{ $table }}]
{{- range $key, $value := $lines }}
{{ $key }} = {{ $value | toJson }}
{{- end }}
{{- end }}
{{- end }}

{{- define "strongroom.tenants" -}}
{{- range $name, $tenant := .Values.tenants }}
{{ $name }}.toml: |
  name = {{ $name | toJson }}
  issuer = {{ $tenant.issuer | toJson }}
  jwks_file = "{{ $name }}.jwks.json"
  rp_id = {{ $tenant.rp_id | toJson }}
  origins = {{ $tenant.origins | toJson }}
  {{- if $tenant.development }}
  development = true
  {{- end }}

  [policy]
  {{- range $key, $value := $tenant.policy }}
  {{ $key }} = {{ $value | toJson }}
  {{- end }}
{{ $name }}.jwks.json: {{ $tenant.jwks | toJson | quote }}
{{- end }}
{{- end }}
