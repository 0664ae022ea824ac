-- The user and its database, as often as it is run. MariaDB quotes as Python does.
CREATE USER IF NOT EXISTS '{{ user }}'@'localhost';
ALTER USER '{{ user }}'@'localhost' IDENTIFIED BY {{ password | py }};
CREATE DATABASE IF NOT EXISTS `{{ database }}`;
{# In the name of a grant `_` stands for any letter, and `%` for any number of them. -#}
GRANT ALL PRIVILEGES ON `{{ database | replace("_", "\\_") | replace("%", "\\%") }}`.* TO '{{ user }}'@'localhost';
