-- The spare administrator, the user and its databases, as often as it is run. MariaDB quotes as Python does.
{# In the name of a grant `_` stands for any letter, and `%` for any number of them. -#}
{% macro granted(database) -%}{{ database | replace("_", "\\_") | replace("%", "\\%") }}{%- endmacro -%}
CREATE USER IF NOT EXISTS 'root-spare'@'localhost';
ALTER USER 'root-spare'@'localhost' IDENTIFIED BY {{ spare_password | py }};
GRANT ALL PRIVILEGES ON *.* TO 'root-spare'@'localhost' WITH GRANT OPTION;
{% set hosts = ["localhost", "127.0.0.1"] if port else ["localhost"] -%}
{% for host in hosts -%}
CREATE USER IF NOT EXISTS '{{ user }}'@'{{ host }}';
ALTER USER '{{ user }}'@'{{ host }}' IDENTIFIED BY {{ password | py }};
{% endfor -%}
{% for database in [database] + databases -%}
CREATE DATABASE IF NOT EXISTS `{{ database }}`;
{% for host in hosts -%}
GRANT ALL PRIVILEGES ON `{{ granted(database) }}`.* TO '{{ user }}'@'{{ host }}';
{% endfor -%}
{% if "_" in database or "%" in database -%}
-- Granted by the plain name, as it once was, it would be of other databases, too.
DELETE FROM mysql.db WHERE User = {{ user | py }} AND Db = {{ database | py }};
{% endif -%}
{% endfor -%}
FLUSH PRIVILEGES;
