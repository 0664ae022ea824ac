//! How the program is linked, and what it is built from.

fn main() {
    // Builds again when a recipe or profile is added or removed: `include_dir!` sees changes only of the files that it knows.
    println!("cargo::rerun-if-changed=recipes");
    println!("cargo::rerun-if-changed=profiles");
    fix_address();
}

/// Links the program for one address. One that may lie anywhere is a table of half a megabyte longer, which every process works
/// off as it begins, and each of the two that go on for months then holds 420 KiB of its own that it never changes again. What is
/// given up is that the place of the program's own code is chosen anew for each process; stacks, heaps and libraries still lie
/// where nobody knows.
#[allow(clippy::disallowed_methods, reason = "cargo tells a build script so, and it has no Host")]
fn fix_address() {
    let target = |fact: &str| std::env::var(format!("CARGO_CFG_TARGET_{fact}")).unwrap_or_default();
    // Elsewhere the linker is given other beginnings of a program, which this would not fit.
    if target("OS") == "linux" && target("ENV") == "gnu" {
        println!("cargo::rustc-link-arg-bins=-no-pie");
    }
}
