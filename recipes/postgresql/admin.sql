-- The superuser's new password, by a variable, so that no file or argument has it.
\getenv password ADMIN_PASSWORD
ALTER ROLE "{{ admin }}" PASSWORD :'password';
