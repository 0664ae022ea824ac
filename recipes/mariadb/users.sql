-- The spare administrator, the user and its databases, as often as it is run. MariaDB quotes as Python does.
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
GRANT ALL PRIVILEGES ON `{{ database }}`.* TO '{{ user }}'@'{{ host }}';
{% endfor -%}
{% endfor -%}
