//! The recipes' own small server, `recipes/wsgi/serve.py`, by its Python tests: real sockets, real applications, bad clients.

use crate::sandbox::Sandbox;

#[test]
fn the_server_of_the_recipes_passes_its_tests() {
    let sandbox = Sandbox::new();
    sandbox.write("recipes/wsgi/serve.py", include_bytes!("../../recipes/wsgi/serve.py"));
    sandbox.write("recipes/wsgi/first.py", include_bytes!("../../recipes/wsgi/first.py"));
    let tests = sandbox.write("tests/recipes/test_serve.py", include_bytes!("../recipes/test_serve.py"));
    let mut python = sandbox.other("python3");
    python.arg("-B").arg(tests);
    sandbox.finish(python, b"").success();
}
