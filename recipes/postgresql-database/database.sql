-- The role and its database, as often as it is run. The password comes by a variable, so that no file or argument has it.
\getenv password APP_PASSWORD
SELECT 'CREATE ROLE "{{ user }}" LOGIN' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{{ user }}')
\gexec
ALTER ROLE "{{ user }}" LOGIN NOSUPERUSER NOCREATEROLE NOCREATEDB PASSWORD :'password';
SELECT 'CREATE DATABASE "{{ database }}" OWNER "{{ user }}"' WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = '{{ database }}')
\gexec
REVOKE ALL ON DATABASE "{{ database }}" FROM PUBLIC;
{% if extensions -%}
\connect "{{ database }}"
{% for extension in extensions -%}
CREATE EXTENSION IF NOT EXISTS "{{ extension }}";
{% endfor -%}
{% endif -%}
