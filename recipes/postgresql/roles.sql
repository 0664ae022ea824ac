-- The roles and databases, as often as it is run. Passwords come by variables, so that no file or argument has them.
\getenv password APP_PASSWORD
\getenv spare SPARE_PASSWORD
SELECT 'CREATE ROLE "{{ admin }}-spare" SUPERUSER LOGIN' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{{ admin }}-spare')
\gexec
ALTER ROLE "{{ admin }}-spare" SUPERUSER LOGIN PASSWORD :'spare';
SELECT 'CREATE ROLE "{{ user }}" LOGIN' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{{ user }}')
\gexec
ALTER ROLE "{{ user }}" LOGIN NOSUPERUSER NOCREATEROLE NOCREATEDB PASSWORD :'password';
{% for database in [database] + databases -%}
SELECT 'CREATE DATABASE "{{ database }}" OWNER "{{ user }}"' WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = '{{ database }}')
\gexec
REVOKE ALL ON DATABASE "{{ database }}" FROM PUBLIC;
{% if extensions -%}
\connect "{{ database }}"
{% for extension in extensions -%}
CREATE EXTENSION IF NOT EXISTS "{{ extension }}";
{% endfor -%}
{% endif -%}
{% endfor -%}
