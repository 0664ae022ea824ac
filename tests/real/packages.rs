//! What a person meets who asks for packages that cannot be had as they are.

use crate::home::Home;

/// Both streams of a failed install.
fn failure(home: &Home) -> String {
    let said = home.run(&["-p", "demo"]).code(1);
    format!("{}{}", said.stdout(), said.stderr())
}

fn environment(packages: &str, more: &str) -> String {
    format!("[parts.env]\nrecipe = \"python\"\npypi = [{packages}]\n{more}")
}

#[test]
fn a_source_archive_is_refused_with_the_remedy_and_built_when_allowed() {
    let Some(home) = Home::new() else { return };
    home.write("jove.toml", environment("\"docopt\"", ""));
    let told = failure(&home);
    assert!(told.contains("build = [\"docopt\"]"), "{told}");
    assert!(!home.folder().join("jove.lock").exists(), "nothing was locked");
    home.write("jove.toml", environment("\"docopt\"", "build = [\"docopt\"]\n"));
    home.run(&["-p", "demo"]).success();
    let said = home.run(&["run", "env", "-p", "demo", "--", "python", "-c", "import docopt; print(docopt.__name__)"]);
    assert_eq!(said.success().stdout(), "docopt\n");
    let again = home.run(&["-p", "demo", "--json"]).success().json();
    assert_eq!(again["changed"], serde_json::json!([]));
    home.run(&["verify", "-p", "demo"]).success();
}

#[test]
fn a_package_that_is_not_there_is_named() {
    let Some(home) = Home::new() else { return };
    home.write("jove.toml", environment("\"flask\", \"jove-install-has-no-such-package\"", ""));
    let told = failure(&home);
    assert!(told.contains("jove-install-has-no-such-package") && told.contains("env"), "{told}");
    assert!(told.lines().count() < 25, "readable: {told}");
    home.write("jove.toml", environment("\"flask ==0.0.99\"", ""));
    let told = failure(&home);
    assert!(told.contains("flask") && told.contains("0.0.99"), "{told}");
    home.write("jove.toml", environment("\"-r missing.txt\"", ""));
    let told = failure(&home);
    assert!(told.contains("missing.txt"), "{told}");
    home.write("jove.toml", environment("\"flask >>3\"", ""));
    let told = failure(&home);
    assert!(told.contains("flask >>3"), "{told}");
}
