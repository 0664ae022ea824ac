//! `extends`.

use super::*;

#[test]
fn is_depth_first_and_each_file_once_at_its_first_place() {
    let sandbox = Sandbox::new(&[
        ("jove.toml", "extends = [\"./shared/left.toml\", \"shared/right.toml\"]\n[parts.a]\nx = 5\n"),
        ("shared/left.toml", "extends = \"../base.toml\"\n[parts.a]\nx = 2\n"),
        ("shared/right.toml", "extends = [\"./../base.toml\"]\n[parts.a]\nx = 3\n"),
        ("base.toml", "[parts.a]\nx = 1\n"),
        ("profiles/own.toml", "extends = [\"../base.toml\", \"profile:demo\"]\n"),
    ]);
    let definition = sandbox.profile("own").good();
    assert_eq!(
        names(&definition),
        ["profile:demo", "base.toml", "shared/left.toml", "shared/right.toml", "jove.toml", "profiles/own.toml"]
    );
    let x = setting(&definition, "a", "x");
    assert_eq!(x.value, Value::Int(5));
    assert_eq!(x.overridden.iter().map(|(value, _)| value.to_string()).collect::<Vec<_>>(), ["3", "2", "1"]);
}

#[test]
fn a_circle_is_drawn_with_the_place_of_each_edge() {
    let sandbox = Sandbox::new(&[
        ("jove.toml", "extends = [\"a.toml\"]\n"),
        ("a.toml", "\nextends = [\"b.toml\"]\n"),
        ("b.toml", "extends = [\n\"./a.toml\"]\n"),
    ]);
    insta::assert_snapshot!(sandbox.profile("bare").bad(), @r#"
    error: `extends` goes in a circle: a.toml → b.toml → a.toml
     --> a.toml:2:12
      |
    2 | extends = ["b.toml"]
      |            ^^^^^^^^ `a.toml` extends `b.toml`
      |
     ::: b.toml:2:1
      |
    2 | "./a.toml"]
      | ---------- `b.toml` extends `a.toml`
    "#);
    assert!(project("extends = 'jove.toml'").bad().contains("circle: jove.toml → jove.toml"));
}

#[test]
fn a_link_is_the_file_that_it_leads_to() {
    let sandbox =
        Sandbox::new(&[("jove.toml", "extends = [\"a.toml\", \"b.toml\"]\n"), ("a.toml", "")]).profile("bare");
    std::os::unix::fs::symlink("a.toml", sandbox.path("b.toml")).expect("link");
    assert_eq!(names(&sandbox.good()), ["profile:bare", "a.toml", "jove.toml"]);
}

#[test]
fn what_is_missing_is_told_with_the_nearest() {
    let sandbox = Sandbox::new(&[
        (
            "jove.toml",
            "extends = [\"shared/bsae.toml\", \"profile:demi\", \"demo\", \"https://x/y.toml\", 3, \"${vars.X}.toml\"]\n",
        ),
        ("shared/base.toml", ""),
    ]);
    insta::assert_snapshot!(sandbox.profile("bare").bad(), @r#"
    error: there is no file `shared/bsae.toml` to extend
     --> jove.toml:1:12
      |
    1 | extends = ["shared/bsae.toml", "profile:demi", "demo", "https://x/y.toml", 3, "${vars.X}.toml"]
      |            ^^^^^^^^^^^^^^^^^^
    hint: did you mean `shared/base.toml`?

    error: no profile `demi` is shipped
     --> jove.toml:1:32
      |
    1 | extends = ["shared/bsae.toml", "profile:demi", "demo", "https://x/y.toml", 3, "${vars.X}.toml"]
      |                                ^^^^^^^^^^^^^^
    hint: did you mean `demo`?

    error: there is no file `demo` to extend
     --> jove.toml:1:48
      |
    1 | extends = ["shared/bsae.toml", "profile:demi", "demo", "https://x/y.toml", 3, "${vars.X}.toml"]
      |                                                ^^^^^^
    hint: the shipped profile is written `profile:demo`

    error: there is no file `https://x/y.toml` to extend
     --> jove.toml:1:56
      |
    1 | extends = ["shared/bsae.toml", "profile:demi", "demo", "https://x/y.toml", 3, "${vars.X}.toml"]
      |                                                        ^^^^^^^^^^^^^^^^^^
    hint: `extends` takes files, not addresses: fetch it, and extend the copy

    error: `extends` lists files or `profile:NAME`, not a number
     --> jove.toml:1:76
      |
    1 | extends = ["shared/bsae.toml", "profile:demi", "demo", "https://x/y.toml", 3, "${vars.X}.toml"]
      |                                                                            ^ write it in quotes

    error: there is no file `${vars.X}.toml` to extend
     --> jove.toml:1:79
      |
    1 | extends = ["shared/bsae.toml", "profile:demi", "demo", "https://x/y.toml", 3, "${vars.X}.toml"]
      |                                                                               ^^^^^^^^^^^^^^^^
    hint: `extends` takes no references: it is read before anything has a value
    "#);
}

#[test]
fn a_long_row_of_files_ends() {
    let files: Vec<(String, String)> =
        (0..80).map(|n| (format!("f{n}.toml"), format!("extends = [\"f{}.toml\"]\n", n + 1))).collect();
    let mut all: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    all.push(("jove.toml", "extends = \"f0.toml\""));
    assert!(Sandbox::new(&all).profile("bare").bad().contains("more than 64 files extend one another"));
}
