{{/* The pod's third container makes checkpoints: as the keeper's user, whom keepers admit as an operator, with the database and without the PIN. */}}
{{- define "strongroom.housekeeperTakes" -}}
- name: take-housekeeper-secrets
  image: {{ include "strongroom.image" . }}
  imagePullPolicy: {{ .Values.image.pullPolicy }}
  securityContext: {{- include "strongroom.containerSecurity" (dict "user" (int .Values.users.keeper) "group" (int .Values.users.group)) | nindent 4 }}
  {{- include "strongroom.takeSecrets" . | nindent 2 }}
  volumeMounts:
    - {name: database, mountPath: /given, readOnly: true}
    - {name: housekeeper-secrets, mountPath: /secrets}
{{- end }}

{{- define "strongroom.housekeeper" -}}
- name: housekeeper
  image: {{ include "strongroom.image" . }}
  imagePullPolicy: {{ .Values.image.pullPolicy }}
  args: [housekeep, --config, /etc/strongroom/vault/strongroom.toml, --every, {{ .Values.housekeeper.everySeconds | int | quote }}]
  securityContext: {{- include "strongroom.containerSecurity" (dict "user" (int .Values.users.keeper) "group" (int .Values.users.group)) | nindent 4 }}
  resources: {{- toYaml .Values.housekeeper.resources | nindent 4 }}
  volumeMounts:
    - {name: configuration, mountPath: /etc/strongroom/vault, readOnly: true}
    - {name: housekeeper-secrets, mountPath: /secrets, readOnly: true}
    - {name: sockets, mountPath: /run/strongroom, readOnly: true}
    - {name: checkpoints, mountPath: /var/lib/strongroom/checkpoints}
    - {name: housekeeper-tmp, mountPath: /tmp}
{{- end }}

{{- define "strongroom.housekeeperVolumes" -}}
- {name: housekeeper-secrets, emptyDir: {medium: Memory, sizeLimit: 1Mi}}
- {name: housekeeper-tmp, emptyDir: {medium: Memory, sizeLimit: 16Mi}}
- name: checkpoints
  {{- toYaml .Values.housekeeper.volume | nindent 2 }}
{{- end }}
