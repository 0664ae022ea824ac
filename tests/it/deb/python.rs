//! The Python of an archive, for an environment: what its version alone decides is decided before it is fetched.

use super::Site;

#[test]
fn a_python_that_does_not_fit_is_refused_by_its_pins() {
    let mut site = Site::new();
    let nothing: [(&str, &str); 0] = [];
    // As Debian has it: what only points to a Python may be of another patch release.
    site.archive.version("python3.11", "3.11.2-6+deb12u6", "", &nothing, "xz");
    site.archive.version("python3", "3.11.1-1", "Depends: python3.11\n", &nothing, "xz");
    site.archive.version("python3-pip", "23.0", "Depends: python3\n", &nothing, "xz");
    site.archive.sign(&site.archive.key, 3600);
    site.life.define("[parts.env]\nrecipe = 'python'\npython = '9.99'\n");
    let told = site.life.run(&["plan"]).code(1);
    let told = told.stderr();
    assert!(told.contains("`env` wants a Python 9.99, and that of deb is 3.11.2\n"), "{told}");
    assert!(told.contains("name packages that have it in `[parts.python-packages]`"), "{told}");
    let host = "not host: no Python 9.99 was found on this machine; these were looked at: /";
    assert!(told.contains(host) && told.contains("python3: is 3."), "{told}");
    let asked = site.mirror.requests();
    assert!(asked.iter().any(|path| path.ends_with("/Packages")), "{asked:?}");
    assert!(!asked.iter().any(|path| path.ends_with(".deb")), "{asked:?}");
    // Nowhere is such a Python, so that nobody is sent to look for it.
    let told = site.life.run(&["plan", "--set", "env.provider=host"]).code(1);
    let told = told.stderr();
    assert!(told.contains("no Python 9.99 was found") && told.contains("widen the option `python`"), "{told}");
    assert!(!told.contains("provider=deb") && !told.contains("uv python install"), "{told}");
    let told = site.life.run(&["plan", "--set", "env.provider=host", "--set", "env.python=<3.0"]).code(1);
    assert!(!told.stderr().contains("provider=deb"), "{}", told.stderr());
    // One that fits by its pins is fetched to be asked.
    site.life.run(&["plan", "--set", "env.provider=deb", "--set", "env.python===3.11.2"]).code(1);
    let asked = site.mirror.requests();
    assert!(asked.iter().any(|path| path.ends_with(".deb")), "{asked:?}");
}
