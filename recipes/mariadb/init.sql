DELETE FROM mysql.proxies_priv;
DELETE FROM mysql.global_priv WHERE User <> 'root' AND User NOT LIKE 'mariadb.%' OR User = 'root' AND Host <> 'localhost';
UPDATE mysql.global_priv SET Priv = JSON_SET(Priv, '$.plugin', 'mysql_native_password', '$.authentication_string', PASSWORD({{ admin_password | py }})) WHERE User = 'root';
