//! Builds again when a recipe or profile is added or removed: `include_dir!` sees changes only of the files that it knows.

fn main() {
    println!("cargo::rerun-if-changed=recipes");
    println!("cargo::rerun-if-changed=profiles");
}
