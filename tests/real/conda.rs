//! Real software through a channel of one's own: packed from Debian packages, installed by the program and by another client
//! of conda.

use crate::home::{Home, has_debian};

const READER: &str = include_str!("conda/reader.py");

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
