ALTER USER 'root'@'localhost' IDENTIFIED BY {{ admin_password | py }};
