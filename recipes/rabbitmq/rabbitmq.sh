#!/bin/sh
# rabbitmq.sh TOOL ARGUMENT…: a program of RabbitMQ, told where everything is. Its own scripts ask the machine's files else.
set -eu
umask 077
# The word by which the programs of one broker know each other; they read it from this file alone.
printf %s "$RABBITMQ_COOKIE" > "$HOME/.erlang.cookie"
unset RABBITMQ_COOKIE
tool=$1
shift
set -a
RABBITMQ_HOME={{ (software ~ "/rabbitmq") | shell_quote }}
RABBITMQ_NODENAME={{ (name ~ "@localhost") | shell_quote }}
RABBITMQ_MNESIA_BASE={{ (data ~ "/mnesia") | shell_quote }}
RABBITMQ_LOG_BASE={{ (data ~ "/log") | shell_quote }}
RABBITMQ_LOGS=-
RABBITMQ_FEATURE_FLAGS_FILE={{ (data ~ "/feature_flags") | shell_quote }}
RABBITMQ_SCHEMA_DIR={{ (data ~ "/schema") | shell_quote }}
RABBITMQ_GENERATED_CONFIG_DIR={{ (run ~ "/config") | shell_quote }}
RABBITMQ_PID_FILE={{ (run ~ "/rabbitmq.pid") | shell_quote }}
RABBITMQ_CONFIG_FILE={{ (object ~ "/etc/rabbitmq.conf") | shell_quote }}
RABBITMQ_ADVANCED_CONFIG_FILE={{ (object ~ "/etc/advanced.config") | shell_quote }}
RABBITMQ_CONF_ENV_FILE=/dev/null
RABBITMQ_ENABLED_PLUGINS_FILE={{ (object ~ "/etc/enabled_plugins") | shell_quote }}
RABBITMQ_PLUGINS_DIR=$RABBITMQ_HOME/plugins
RABBITMQ_DIST_PORT={{ dist_port }}
# Its scripts put the words of these behind each other without quotes, so a text for Erlang keeps its own.
RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS="-start_epmd false -kernel inet_dist_use_interface {127,0,0,1} -rabbit load_definitions \"${RABBITMQ_DEFINITIONS:-}\""
RABBITMQ_CTL_ERL_ARGS="-start_epmd false -kernel inet_dist_use_interface {127,0,0,1}"
RABBITMQ_CTL_DIST_PORT_MIN={{ ctl_port }}
RABBITMQ_CTL_DIST_PORT_MAX={{ ctl_port }}
ERL_EPMD_PORT={{ epmd_port }}
ERL_EPMD_ADDRESS=127.0.0.1
ERL_CRASH_DUMP={{ (data ~ "/erl_crash.dump") | shell_quote }}
ERL_CRASH_DUMP_SECONDS=0
# The broker takes the place of this shell: signals reach it, and it reads no terminal.
RUNNING_UNDER_SYSTEMD=true
exec /bin/sh "$RABBITMQ_HOME/sbin/$tool" "$@"
