#!/bin/sh
# Its options count in MiB, and it does not replace the socket that a killed one left.
rm -f {{ run | shell_quote }}/memcached.sock
exec {{ software | shell_quote }}/bin/memcached -s {{ run | shell_quote }}/memcached.sock -a 0700 \
    -m {{ [memory // 1048576, 1] | max }} -I {{ max_item }} -c {{ connections }} -t {{ threads }}
