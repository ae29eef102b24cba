-- The application's password is new with every restore: the old one lies in a Vault that may be lost as well.
\set password `read -r line < /etc/restore/app/password; echo "$line"`
ALTER ROLE shop LOGIN PASSWORD :'password';
