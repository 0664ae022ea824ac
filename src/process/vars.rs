//! The vars that a tool of ours runs with.

use std::collections::BTreeMap;

use crate::host::Host;

/// What is handed on: where things are, how the network is reached, whom to trust. Everything else of the user's shell
/// (`PYTHONPATH`, `VIRTUAL_ENV`, `UV_*`, `LD_PRELOAD` …) would change what a tool does without being seen in any key.
const HANDED_ON: [&str; 22] = [
    "ALL_PROXY",
    "CURL_CA_BUNDLE",
    "HOME",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "LOGNAME",
    "NETRC",
    "NO_PROXY",
    "PATH",
    "REQUESTS_CA_BUNDLE",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "TMPDIR",
    "USER",
    "XDG_CACHE_HOME",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
    "XDG_STATE_HOME",
    "all_proxy",
    "http_proxy",
    "https_proxy",
    "no_proxy",
];

/// The vars for a tool: those of the host that say where things are and how the network is reached, a neutral locale, and
/// Python's bytecode writing and user site off.
#[must_use]
pub fn clean_vars(host: &Host) -> BTreeMap<String, String> {
    let mut vars: BTreeMap<String, String> =
        HANDED_ON.iter().filter_map(|name| Some(((*name).to_owned(), host.var(name)?.to_owned()))).collect();
    for (name, value) in [
        ("LANG", "C.UTF-8"),
        ("LC_ALL", "C.UTF-8"),
        ("PYTHONDONTWRITEBYTECODE", "1"),
        ("PYTHONHASHSEED", "0"),
        ("PYTHONNOUSERSITE", "1"),
        ("TZ", "UTC"),
    ] {
        vars.insert(name.to_owned(), value.to_owned());
    }
    vars
}
