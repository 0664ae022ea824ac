-- The user and its database, as often as it is run.
CREATE USER IF NOT EXISTS '{{ user }}'@'localhost';
ALTER USER '{{ user }}'@'localhost' IDENTIFIED BY '{{ password }}';
CREATE DATABASE IF NOT EXISTS `{{ database }}`;
{# In the name of a grant `_` stands for any letter. -#}
GRANT ALL PRIVILEGES ON `{{ database | replace("_", "\\_") }}`.* TO '{{ user }}'@'localhost';
