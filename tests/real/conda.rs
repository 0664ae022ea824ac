//! Real software through a channel of one's own: packed from Debian packages, installed by the program and by another client
//! of conda.

use std::path::Path;

use crate::home::{Home, has_debian};

const READER: &str = include_str!("conda/reader.py");
const CLIENT: &str = include_str!("../recipes/wps_client.py");

const MAKER: &str = "name = 'maker'\n\
    [parts.server]\nrecipe = 'packages'\nprovider = 'deb'\ndeb = ['nginx']\ndeb_without = ['iproute2']\nprograms = ['nginx']\n\
    [parts.interpreter]\nrecipe = 'packages'\nprovider = 'deb'\ndeb = ['python3', 'python3-pip']\nprograms = ['python3']\n";

const IMPORTS: &str = "import ssl, sqlite3, sys; print(sys.version_info >= (3, 9), 'OpenSSL' in ssl.OPENSSL_VERSION)";

#[test]
fn a_server_and_a_python_are_packed_and_installed_by_two_clients() {
    let Some(mut home) = has_debian().then(Home::of_known_user).flatten() else { return };
    let reader = home.write("reader.py", READER).display().to_string();
    let channel = home.folder().join("channel");
    home.enter("maker");
    home.write("jove.toml", MAKER);
    home.run(&["pack", "server", "interpreter", "--channel", "../channel"]).success();

    home.enter("../user");
    let part = |name: &str, package: &str, program: &str| {
        let channel = channel.display();
        format!(
            "[parts.{name}]\nrecipe = 'packages'\nconda = ['{package}']\nconda_channels = ['{channel}']\nprograms = ['{program}']\n"
        )
    };
    let parts = [part("web", "server", "nginx"), part("tools", "interpreter", "python3")].concat();
    let parts = format!("name = 'user'\n{parts}[parts.reader]\nrecipe = 'python'\npypi = ['py-rattler']\n");
    home.write("jove.toml", parts);
    home.run(&["install"]).success();
    let said = home.run(&["run", "tools", "--", "python3", "-c", IMPORTS]).success();
    assert_eq!(said.stdout(), "True True\n");
    assert!(home.run(&["run", "web", "--", "nginx", "-v"]).success().stderr().contains("nginx/"));
    home.run(&["verify"]).code(0);

    let folder = home.folder().join("theirs").display().to_string();
    let channel = channel.display().to_string();
    let said = home.run(&["run", "reader", "--", "python", &reader, &channel, &folder, "server", "interpreter"]);
    assert_eq!(said.success().stdout(), "['interpreter', 'server']\n");
    let theirs = |program: &str| format!("{folder}/bin/{program}");
    let said = home.run(&["run", "reader", "--", &theirs("python3"), "-c", IMPORTS]).success();
    assert_eq!(said.stdout(), "True True\n");
    assert!(home.run(&["run", "reader", "--", &theirs("nginx"), "-v"]).success().stderr().contains("nginx/"));
}

#[test]
fn a_python_part_takes_its_interpreter_from_a_channel() {
    let Some(mut home) = has_debian().then(Home::of_known_user).flatten() else { return };
    let channel = home.folder().join("channel");
    home.enter("maker");
    home.write("jove.toml", MAKER);
    home.run(&["pack", "interpreter", "--channel", "../channel"]).success();
    home.enter("../user");
    let definition = format!(
        "name = 'user'\n[parts.env]\nrecipe = 'python'\nprovider = 'conda'\npypi = ['flask']\n\
         [parts.python-packages]\nconda = ['interpreter']\nconda_channels = ['{}']\n",
        channel.display()
    );
    home.write("jove.toml", definition);
    home.run(&["install"]).success();
    let script = "import flask, sys; print(flask.__name__, '-python-packages' in sys.base_prefix)";
    let said = home.run(&["run", "env", "--", "python", "-c", script]).success();
    assert_eq!(said.stdout(), "flask True\n");
    home.run(&["verify"]).code(0);
    assert_eq!(home.run(&["install", "--json"]).success().json()["changed"], serde_json::json!([]));
}

/// A Python package that conda has and the Python package index does not, beside an interpreter that looks there: with a module,
/// a command, an extra, and a program that is none of Python.
const PACKAGE: &str = "set -e\n\
    site=\"$JOVE_OBJECT/usr/lib/python3/dist-packages\"; info=\"$site/certifi-$1.dist-info\"\n\
    mkdir -p \"$site/certifi\" \"$info\" \"$JOVE_OBJECT/usr/bin\"\n\
    echo \"VERSION = '$1 of conda'; where = lambda: ''\" > \"$site/certifi/__init__.py\"\n\
    printf 'def main():\\n    import idna, sys\\n    print(idna.__name__, sys.prefix != sys.base_prefix)\\n' > \"$site/certifi/cli.py\"\n\
    printf 'Metadata-Version: 2.1\\nName: Certifi\\nVersion: %s\\nRequires-Dist: nowhere-to-be-found\\n' \"$1\" > \"$info/METADATA\"\n\
    printf '[console_scripts]\\ncertifi-say = certifi.cli:main\\n' > \"$info/entry_points.txt\"\n\
    printf '#!/bin/sh\\necho not of Python\\n' > \"$JOVE_OBJECT/usr/bin/other-tool\"\nchmod 755 \"$JOVE_OBJECT/usr/bin/other-tool\"\n";

#[test]
fn conda_and_python_index_packages_are_one_environment() {
    let Some(mut home) = has_debian().then(Home::of_known_user).flatten() else { return };
    let channel = home.folder().join("channel");
    home.enter("maker");
    home.write("make.sh", PACKAGE);
    let step = |part: &str, command: &str| {
        format!("[parts.{part}]\nrecipe = 'step'\nfolder = '.'\ninputs = ['make.sh']\ncommand = {command}\n")
    };
    let python = "[parts.python]\nrecipe = 'packages'\nprovider = 'deb'\ndeb = ['python3', 'python3-pip']\nprograms = ['python3']\n";
    let parts = [
        python.to_owned(),
        step("certifi", "['sh', 'make.sh', '2099.1.1']"),
        step("pip", "['sh', '-c', 'mkdir -p $JOVE_OBJECT/share && echo pip > $JOVE_OBJECT/share/pip']"),
    ];
    home.write("jove.toml", format!("name = 'maker'\n{}", parts.concat()));
    home.run(&["install"]).success();
    home.run(&["pack", "python", "certifi", "pip", "--channel", "../channel"]).success();

    home.enter("../user");
    let define = |home: &Home, conda: &str, pypi: &str| {
        let part = format!(
            "recipe = 'python'\npython = '>=3.9'\nconda = {conda}\nconda_channels = ['{}']\npypi = {pypi}\n",
            channel.display()
        );
        home.write("jove.toml", format!("name = 'user'\n[parts.env]\n{part}"));
    };
    define(&home, "['certifi']", "['requests']");
    home.run(&["install"]).success();
    let lock = home.read("jove.lock");
    assert!(lock.contains("certifi==2099.1.1") && lock.contains("name = \"requests\""), "{lock}");
    let pins: Vec<&str> = lock.lines().filter(|line| line.contains("certifi") && line.contains(".whl")).collect();
    assert_eq!(pins, Vec::<&str>::new(), "what conda brings is not taken from the index, too");
    let script = "import requests, certifi, sys; print(certifi.VERSION, '-env-conda' in sys.base_prefix, '-env/' in requests.__file__)";
    let said = home.run(&["run", "env", "--", "python", "-c", script]).success();
    assert_eq!(said.stdout(), "2099.1.1 of conda True True\n");
    // Commands of both are there, and conda's see what the index gave.
    assert_eq!(home.run(&["run", "env", "--", "certifi-say"]).success().stdout(), "idna True\n");
    assert_eq!(home.run(&["run", "env", "--", "other-tool"]).success().stdout(), "not of Python\n");
    let config = "cat \"$(dirname \"$(command -v certifi-say)\")/../pyvenv.cfg\"";
    let said = home.run(&["run", "env", "--", "sh", "-c", config]).success();
    assert!(said.stdout().contains("include-system-site-packages = true"), "{}", said.stdout());
    // Nothing is compiled when it is imported: the library was, when it was sealed.
    let compiled = "import os, json; print(os.path.exists(json.__cached__), open(json.__cached__, 'rb').read(8)[4])";
    assert_eq!(home.run(&["run", "env", "--", "python", "-c", compiled]).success().stdout(), "True 1\n");
    home.run(&["verify"]).code(0);
    assert_eq!(home.run(&["install", "--json"]).success().json()["changed"], serde_json::json!([]));
    let environment = home.run(&["lock", "--export", "environment", "env"]).success().stdout().to_owned();
    assert!(environment.contains("- certifi ==0 h") && environment.contains("- requests=="), "{environment}");

    // The same, as a user of conda has it in one file.
    let file = format!("channels: ['{}']\ndependencies:\n- certifi\n- pip:\n  - requests\n", channel.display());
    home.write("environment.yml", file);
    define(&home, "['--file environment.yml']", "[]");
    assert_eq!(home.run(&["install", "--json"]).success().json()["changed"], serde_json::json!([]));

    // What both want in versions that contradict each other is told by name, and nothing is changed.
    define(&home, "['certifi']", "['requests', 'certifi <2050']");
    let said = home.run(&["install"]).code(1);
    assert!(
        said.stderr().contains("conda brings certifi 2099.1.1") && said.stderr().contains("`conda`"),
        "{}",
        said.stderr()
    );
    assert_eq!(home.run(&["run", "env", "--", "certifi-say"]).success().stdout(), "idna True\n");
    a_demo_takes_its_python_from(&channel, home);
}

/// The demonstration of a user whose machine has no Python, but who has a channel that has one.
fn a_demo_takes_its_python_from(channel: &Path, mut home: Home) {
    home.without_python();
    home.enter("../nothing");
    let client = home.write("../wps_client.py", CLIENT).display().to_string();
    let sources = format!("[sources]\norder = ['conda']\n[sources.conda]\nchannels = ['{}']\n", channel.display());
    home.write(home.home().join(".config/jove/config.toml"), sources);
    let said = home.run(&["install", "-p", "demo"]).success();
    assert!(said.stderr().contains("software of this prefix comes from conda"), "{}", said.stderr());
    let asked = format!("{}wps", home.url(&["-p", "demo"], "wps"));
    let spoke = home.run(&["run", "env", "-p", "demo", "--", "python", &client, &asked]).success();
    assert_eq!(spoke.stdout().lines().filter(|line| line.starts_with("ok: ")).count(), 16, "{}", spoke.stdout());
    home.run(&["verify", "-p", "demo"]).success();
    home.run(&["wipe", "-p", "demo", "--data", "--yes"]).success();
    assert!(!home.home().join("jove/demo").exists());
}

#[test]
fn a_lock_goes_out_as_pylock_and_uv_reads_it() {
    let Some(home) = Home::new() else { return };
    home.write("jove.toml", "name = 'user'\n[parts.env]\nrecipe = 'python'\npypi = ['flask']\n");
    home.run(&["install"]).success();
    let text = home.run(&["lock", "--export", "pylock"]).success().stdout().to_owned();
    assert!(text.contains("name = \"flask\"") && !text.contains("://"), "{text}");
    home.write("wheels/pylock.toml", &text);
    // The files are beside it, as its paths say.
    for entry in walkdir::WalkDir::new(home.cache().join("files")).into_iter().map(Result::unwrap) {
        if entry.path().extension().is_some_and(|suffix| suffix == "whl") {
            let to = home.path("work/wheels").join(entry.file_name());
            std::fs::copy(entry.path(), &to).unwrap();
            home.own(&to);
        }
    }
    let tools = std::fs::read_dir(home.cache().join("tools")).unwrap().map(Result::unwrap);
    let kept = tools.map(|entry| entry.path().join("uv")).find(|path| path.is_file());
    let uv = kept.unwrap_or_else(|| std::path::PathBuf::from("uv")).display().to_string();
    let list = home.path("work/wheels/pylock.toml").display().to_string();
    let target = home.path("work/theirs").display().to_string();
    let uv = ["run", "env", "--", &uv, "pip", "install", "--quiet", "--offline", "--no-config", "--no-cache"];
    home.run(&[&uv[..], &["--target", &target, "-r", &list]].concat()).success();
    let script = format!(
        "import sys; sys.path.insert(0, '{target}'); import flask; print(flask.__file__.startswith('{target}'))"
    );
    assert_eq!(home.run(&["run", "env", "--", "python", "-c", &script]).success().stdout(), "True\n");
}
