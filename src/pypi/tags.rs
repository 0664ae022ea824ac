//! The tags of wheels that an interpreter takes, best first, as the `packaging` library orders them.

use super::interpreter::Interpreter;

/// One tag: `cp312-abi3-manylinux_2_17_x86_64`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag {
    /// The interpreter word.
    pub python: String,
    /// The ABI word.
    pub abi: String,
    /// The platform word.
    pub platform: String,
}

impl std::fmt::Display for Tag {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}-{}", self.python, self.abi, self.platform)
    }
}

/// All tags that an interpreter takes, best first.
#[must_use]
pub fn tags(interpreter: &Interpreter) -> Vec<Tag> {
    let platforms = platforms(interpreter);
    let (major, minor) = interpreter.minor();
    let mut tags = Vec::new();
    let mut add = |python: &str, abi: &str, platforms: &[String]| {
        tags.extend(platforms.iter().map(|platform| Tag {
            python: python.to_owned(),
            abi: abi.to_owned(),
            platform: platform.clone(),
        }));
    };
    let any = ["any".to_owned()];
    let own = if interpreter.implementation == "cpython" {
        let own = format!("cp{major}{minor}");
        let abi3 = !interpreter.abi.trim_start_matches(&own).contains('t');
        add(&own, &interpreter.abi, &platforms);
        if abi3 {
            add(&own, "abi3", &platforms);
        }
        add(&own, "none", &platforms);
        if abi3 {
            for older in (2..minor).rev() {
                add(&format!("cp{major}{older}"), "abi3", &platforms);
            }
        }
        own
    } else {
        let short = if interpreter.implementation == "pypy" { "pp" } else { interpreter.implementation.as_str() };
        let own = format!("{short}{major}{minor}");
        add(&own, &interpreter.abi, &platforms);
        add(&own, "none", &platforms);
        own
    };
    let generic: Vec<String> = std::iter::once(format!("py{major}{minor}"))
        .chain(std::iter::once(format!("py{major}")))
        .chain((0..minor).rev().map(|older| format!("py{major}{older}")))
        .collect();
    for python in &generic {
        add(python, "none", &platforms);
    }
    add(&own, "none", &any);
    for python in &generic {
        add(python, "none", &any);
    }
    tags
}

/// Platform words, best first.
fn platforms(interpreter: &Interpreter) -> Vec<String> {
    let machine = match interpreter.machine.as_str() {
        "armv8l" => "armv7l",
        other => other,
    };
    match interpreter.system.as_str() {
        "linux" => linux(&interpreter.libc, machine),
        "darwin" => macos(&interpreter.libc, machine),
        other => vec![format!("{other}_{machine}")],
    }
}

fn linux(libc: &str, machine: &str) -> Vec<String> {
    let (kind, version) = libc.split_once(' ').unwrap_or(("", ""));
    let mut numbers = version.split('.').map(|word| word.parse::<u32>().unwrap_or(0));
    let (major, minor) = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    let mut words = Vec::new();
    if kind == "glibc" && major == 2 {
        let oldest = if matches!(machine, "x86_64" | "i686") { 5 } else { 17 };
        for minor in (oldest..=minor).rev() {
            words.push(format!("manylinux_2_{minor}_{machine}"));
            let old_name = match minor {
                17 => "manylinux2014",
                12 => "manylinux2010",
                5 => "manylinux1",
                _ => continue,
            };
            words.push(format!("{old_name}_{machine}"));
        }
    }
    if kind == "musl" && major == 1 {
        words.extend((0..=minor).rev().map(|minor| format!("musllinux_1_{minor}_{machine}")));
    }
    words.push(format!("linux_{machine}"));
    words
}

fn macos(version: &str, machine: &str) -> Vec<String> {
    let mut numbers = version.split('.').map(|word| word.parse::<u32>().unwrap_or(0));
    let (major, minor) = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    let formats: &[&str] = if machine == "arm64" {
        &["arm64", "universal2"]
    } else {
        &["x86_64", "intel", "fat64", "fat32", "universal2", "universal"]
    };
    let mut words = Vec::new();
    let mut add = |major: u32, minor: u32, formats: &[&str]| {
        words.extend(formats.iter().map(|format| format!("macosx_{major}_{minor}_{format}")));
    };
    for major in (11..=major).rev() {
        add(major, 0, formats);
    }
    let newest = if major == 10 { minor } else { 16 };
    for minor in (4..=newest).rev() {
        match machine {
            "arm64" => add(10, minor, &["universal2"]),
            _ => add(10, minor, formats),
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::Host;
    use crate::process::{Run, clean_vars};

    /// An interpreter that is nowhere.
    fn interpreter(version: &str, abi: &str, libc: &str, machine: &str) -> Interpreter {
        Interpreter {
            path: "/x".into(),
            prefix: "/".into(),
            version: version.to_owned(),
            implementation: "cpython".to_owned(),
            abi: abi.to_owned(),
            cache_tag: String::new(),
            system: "linux".to_owned(),
            machine: machine.to_owned(),
            libc: libc.to_owned(),
            purelib: "lib".into(),
            has_pip: false,
            has_venv: false,
            has_ensurepip: false,
            digest: crate::digest::Digest::of(""),
            stamp: String::new(),
        }
    }

    #[test]
    fn order_is_the_libraries_own() {
        let host = Host::current().unwrap();
        let real = Interpreter::find(&host, &">=3.8".parse().unwrap()).unwrap();
        let script = "from pip._vendor.packaging import tags\nprint('\\n'.join(map(str, tags.sys_tags())))";
        let Ok(done) = Run::new(&real.path, clean_vars(&host)).args(["-I", "-c", script]).capture().go() else {
            return; // A Python without pip: nothing to compare with.
        };
        let theirs = String::from_utf8(done.stdout).unwrap();
        let ours: Vec<String> = tags(&real).iter().map(ToString::to_string).collect();
        // Its older versions leave out `cp312-none-any`.
        let own_any = |tag: &&str| !(tag.starts_with("cp") && tag.ends_with("-none-any"));
        let theirs: Vec<&str> = theirs.lines().filter(own_any).collect();
        let ours: Vec<&str> = ours.iter().map(String::as_str).filter(own_any).collect();
        let first = ours.iter().zip(&theirs).find(|(one, other)| one != other);
        assert!(first.is_none() && ours.len() == theirs.len(), "{first:?}, {} and {}", ours.len(), theirs.len());
    }

    #[test]
    fn old_and_other_machines() {
        let takes =
            |interpreter: &Interpreter, tag: &str| tags(interpreter).iter().any(|known| known.to_string() == tag);
        let old = interpreter("3.9.2", "cp39", "glibc 2.17", "aarch64");
        assert!(takes(&old, "cp39-cp39-manylinux2014_aarch64") && !takes(&old, "cp39-cp39-manylinux_2_28_aarch64"));
        let musl = interpreter("3.12.1", "cp312", "musl 1.2.4", "x86_64");
        assert!(takes(&musl, "cp312-cp312-musllinux_1_1_x86_64") && !takes(&musl, "cp312-cp312-manylinux2014_x86_64"));
        let free = interpreter("3.13.0", "cp313t", "glibc 2.36", "x86_64");
        assert!(takes(&free, "cp313-cp313t-manylinux2014_x86_64") && !takes(&free, "cp38-abi3-manylinux2014_x86_64"));
        assert!(takes(&free, "py3-none-any"));
    }
}
