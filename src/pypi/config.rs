//! Where the user said that packages come from: vars, `uv.toml`, `pip.conf`. Read into memory, never written anywhere.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::host::Host;

/// What the user configured.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Configured {
    /// The index, and where that was said.
    pub index: Option<(String, String)>,
    /// More indexes.
    pub extra: Vec<String>,
    /// Folders and pages of files.
    pub links: Vec<String>,
    /// Whether only those are to be used.
    pub no_index: bool,
    /// A file of certificates.
    pub cert: Option<String>,
}

/// Reads vars and files; of uv's and pip's words for one thing, uv's win.
#[must_use]
pub fn configured(host: &Host, python_prefix: &Path) -> Configured {
    let uv = uv(host);
    let pip = pip(host, python_prefix);
    Configured {
        index: uv.index.or(pip.index),
        extra: joined(uv.extra, pip.extra),
        links: joined(uv.links, pip.links),
        no_index: uv.no_index || pip.no_index,
        cert: pip.cert,
    }
}

fn joined(mut one: Vec<String>, other: Vec<String>) -> Vec<String> {
    for word in other {
        if !one.contains(&word) {
            one.push(word);
        }
    }
    one
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(ToOwned::to_owned).collect()
}

fn truth(text: &str) -> bool {
    matches!(text.to_ascii_lowercase().as_str(), "1" | "true" | "yes" | "on" | "y" | "t")
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
struct UvFile {
    index: Vec<UvIndex>,
    index_url: Option<String>,
    extra_index_url: Vec<String>,
    find_links: Vec<String>,
    no_index: bool,
    pip: Option<Box<UvFile>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct UvIndex {
    name: Option<String>,
    url: String,
    default: bool,
    explicit: bool,
}

fn uv(host: &Host) -> Configured {
    let mut found = Configured::default();
    let said = |name: &str| host.var(name).map(|value| (value.to_owned(), format!("the var {name}")));
    found.index = said("UV_DEFAULT_INDEX").or_else(|| said("UV_INDEX_URL"));
    for name in ["UV_INDEX", "UV_EXTRA_INDEX_URL"] {
        found.extra.extend(host.var(name).map(words).unwrap_or_default());
    }
    found.links = host.var("UV_FIND_LINKS").map(|text| words(&text.replace(',', " "))).unwrap_or_default();
    found.no_index = host.var("UV_NO_INDEX").is_some_and(truth);
    if host.var("UV_NO_CONFIG").is_some_and(truth) {
        return found;
    }
    for file in uv_files(host) {
        let Ok(text) = fs_err::read_to_string(&file) else { continue };
        // uv itself names a mistake in its own file.
        let Ok(parsed) = toml::from_str::<UvFile>(&text) else { continue };
        take_uv_file(host, &mut found, parsed, &file);
    }
    // `name=address` names an index for credentials; the address is what counts here.
    found.extra = found.extra.into_iter().map(|word| with_credentials(host, &word)).collect();
    if let Some((address, _)) = &mut found.index {
        *address = with_credentials(host, address);
    }
    found
}

fn uv_files(host: &Host) -> Vec<PathBuf> {
    if let Some(file) = host.var("UV_CONFIG_FILE") {
        return vec![host.folder.join(file)];
    }
    let base = host.var("XDG_CONFIG_HOME").map(PathBuf::from).or_else(|| Some(host.home().ok()?.join(".config")));
    base.map(|base| base.join("uv/uv.toml")).into_iter().chain([PathBuf::from("/etc/uv/uv.toml")]).collect()
}

fn take_uv_file(host: &Host, found: &mut Configured, parsed: UvFile, file: &Path) {
    let from = file.display().to_string();
    let relative = |link: String| {
        let folder = file.parent().unwrap_or(&host.folder);
        if link.contains("://") { link } else { folder.join(link).display().to_string() }
    };
    for index in parsed.index {
        if index.explicit {
            continue;
        }
        let address = index.name.map_or_else(|| index.url.clone(), |name| format!("{name}={}", index.url));
        if index.default {
            found.index.get_or_insert((address, from.clone()));
        } else {
            found.extra.push(address);
        }
    }
    let nested = parsed.pip.map(|pip| *pip).unwrap_or_default();
    if let Some(address) = parsed.index_url.or(nested.index_url) {
        found.index.get_or_insert((address, from));
    }
    found.extra.extend(parsed.extra_index_url.into_iter().chain(nested.extra_index_url));
    found.links.extend(parsed.find_links.into_iter().chain(nested.find_links).map(relative));
    found.no_index |= parsed.no_index || nested.no_index;
}

/// Drops the name of `name=address` and puts in what `UV_INDEX_<NAME>_USERNAME` and `…_PASSWORD` say.
fn with_credentials(host: &Host, word: &str) -> String {
    let named = word.split_once('=').filter(|(name, _)| name.chars().all(|c| c.is_alphanumeric() || "-_.".contains(c)));
    let Some((name, address)) = named else { return word.to_owned() };
    let name: String = name.chars().map(|c| if c.is_alphanumeric() { c.to_ascii_uppercase() } else { '_' }).collect();
    let Ok(mut url) = url::Url::parse(address) else { return address.to_owned() };
    if let Some(user) = host.var(&format!("UV_INDEX_{name}_USERNAME")) {
        let _ = url.set_username(user);
    }
    if let Some(password) = host.var(&format!("UV_INDEX_{name}_PASSWORD")) {
        let _ = url.set_password(Some(password));
    }
    url.to_string()
}

fn pip(host: &Host, python_prefix: &Path) -> Configured {
    let mut settings: BTreeMap<String, (String, String)> = BTreeMap::new();
    for file in pip_files(host, python_prefix) {
        let Ok(text) = fs_err::read_to_string(&file) else { continue };
        let sections = ini(&text);
        for section in ["global", "download", "install"] {
            for (_, key, value) in sections.iter().filter(|(name, _, _)| name == section) {
                settings.insert(key.clone(), (value.clone(), file.display().to_string()));
            }
        }
    }
    for (name, value) in &host.vars {
        if let Some(key) = name.strip_prefix("PIP_").filter(|_| !value.is_empty()) {
            settings.insert(key.to_ascii_lowercase().replace('_', "-"), (value.clone(), format!("the var {name}")));
        }
    }
    let list = |key: &str| settings.get(key).map(|(value, _)| words(value)).unwrap_or_default();
    Configured {
        index: settings.get("index-url").or_else(|| settings.get("pypi-url")).cloned(),
        extra: list("extra-index-url"),
        links: list("find-links"),
        no_index: settings.get("no-index").is_some_and(|(value, _)| truth(value)),
        cert: settings.get("cert").map(|(value, _)| value.clone()),
    }
}

/// pip's files, lowest first.
fn pip_files(host: &Host, python_prefix: &Path) -> Vec<PathBuf> {
    let mut files = vec![PathBuf::from("/etc/xdg/pip/pip.conf"), PathBuf::from("/etc/pip.conf")];
    match host.var("PIP_CONFIG_FILE") {
        // pip's own way of saying: no files at all.
        Some("/dev/null") => return Vec::new(),
        Some(file) => {
            files.push(python_prefix.join("pip.conf"));
            files.push(host.folder.join(file));
        }
        None => {
            if let Ok(home) = host.home() {
                files.push(home.join(".pip/pip.conf"));
                let base = host.var("XDG_CONFIG_HOME").map_or_else(|| home.join(".config"), PathBuf::from);
                files.push(base.join("pip/pip.conf"));
            }
            files.push(python_prefix.join("pip.conf"));
        }
    }
    files
}

/// Sections of an ini file, as `(section, key, value)`; a value goes on in lines that are indented.
fn ini(text: &str) -> Vec<(String, String, String)> {
    let mut settings: Vec<(String, String, String)> = Vec::new();
    let mut section = String::new();
    for line in text.lines() {
        let plain = line.trim();
        if plain.is_empty() || plain.starts_with(['#', ';']) {
            continue;
        }
        if let Some(name) = plain.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = name.trim().to_owned();
        } else if line.starts_with([' ', '\t'])
            && let Some((_, _, value)) = settings.last_mut().filter(|(name, _, _)| *name == section)
        {
            value.push('\n');
            value.push_str(plain);
        } else if let Some((key, value)) = plain.split_once(['=', ':']) {
            let key = key.trim().to_ascii_lowercase().replace('_', "-");
            settings.push((section.clone(), key, value.trim().to_owned()));
        }
    }
    settings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(folder: &Path, vars: &[(&str, &str)]) -> Host {
        let mut vars: BTreeMap<String, String> = vars.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        vars.insert("HOME".to_owned(), folder.display().to_string());
        Host { vars, folder: folder.to_owned(), ..Host::current().unwrap() }
    }

    #[test]
    fn pip_files_and_vars() {
        let folder = tempfile::tempdir().unwrap();
        let conf = folder.path().join(".config/pip/pip.conf");
        fs_err::create_dir_all(conf.parent().unwrap()).unwrap();
        fs_err::write(
            &conf,
            "# mine\n[global]\nindex-url = https://user:pw@one.example/simple\nextra_index_url =\n    https://a.example/s\n    https://b.example/s\n[install]\nindex-url=https://two.example/simple\nno-index = no\n",
        )
        .unwrap();
        let nowhere = folder.path().join("python");
        let found = configured(&host(folder.path(), &[("PIP_FIND_LINKS", "/opt/wheels ./here")]), &nowhere);
        assert_eq!(found.index, Some(("https://two.example/simple".to_owned(), conf.display().to_string())));
        assert_eq!(found.extra, ["https://a.example/s", "https://b.example/s"]);
        assert_eq!(found.links, ["/opt/wheels", "./here"]);
        assert!(!found.no_index);
        let found = configured(
            &host(folder.path(), &[("PIP_INDEX_URL", "https://three.example/s"), ("PIP_NO_INDEX", "1")]),
            &nowhere,
        );
        assert_eq!(found.index.unwrap().0, "https://three.example/s");
        assert!(found.no_index);
        let found = configured(&host(folder.path(), &[("PIP_CONFIG_FILE", "/dev/null")]), &nowhere);
        assert_eq!(found.index, None);
    }

    #[test]
    fn uvs_words_win() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(".config/uv/uv.toml");
        fs_err::create_dir_all(file.parent().unwrap()).unwrap();
        fs_err::write(
            &file,
            "native-tls = true\n[[index]]\nname = \"corp\"\nurl = \"https://corp.example/simple\"\n[[index]]\nurl = \"https://default.example/simple\"\ndefault = true\n[[index]]\nname = \"torch\"\nurl = \"https://t.example\"\nexplicit = true\n",
        )
        .unwrap();
        let vars = [
            ("PIP_INDEX_URL", "https://pip.example/s"),
            ("UV_INDEX_CORP_USERNAME", "me"),
            ("UV_INDEX_CORP_PASSWORD", "p@w"),
        ];
        let found = configured(&host(folder.path(), &vars), folder.path());
        assert_eq!(found.index.unwrap().0, "https://default.example/simple");
        assert_eq!(found.extra, ["https://me:p%40w@corp.example/simple"]);
        let found = configured(&host(folder.path(), &[("UV_DEFAULT_INDEX", "https://var.example/s")]), folder.path());
        assert_eq!(found.index.unwrap().0, "https://var.example/s");
    }
}
