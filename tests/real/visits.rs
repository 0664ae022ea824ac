//! Somebody visits a site in production all the while that something happens to it.

use std::path::Path;

use crate::home::Home;
use crate::production::{PRODUCTION, certificate};

const VISIT: &str = include_str!("visits/visit.py");

/// Asks again and again, by the Python of the part `env`, for a path of the site that is called so (`https://name:8443`): each time
/// it is answered with 200.
pub fn nobody_notices(home: &Home, called: &str, path: &str, happens: impl FnOnce()) {
    let certificate = certificate(home, PRODUCTION).display().to_string();
    let host = called.trim_start_matches("https://").trim_end_matches('/');
    let port = host.rsplit(':').next().unwrap();
    let said = meanwhile(home, ("visit.py", VISIT), &[&certificate, host, port, path], |_| happens());
    assert_eq!(said, "all were answered\n");
}

/// Runs a client of the part `env` for as long as something happens, and gives what it said. Its last argument is a file that is
/// there meanwhile; so is that which what happens is given.
pub fn meanwhile(home: &Home, client: (&str, &str), arguments: &[&str], happens: impl FnOnce(&Path)) -> String {
    // Beside the project, whose files are all installed.
    let (name, text) = client;
    let (client, open) = (home.path(name), home.path("open"));
    for (file, text) in [(&client, text), (&open, "")] {
        std::fs::write(file, text).unwrap();
        home.own(file);
    }
    let (script, file) = (client.display().to_string(), open.display().to_string());
    let command = [&["--", "python", script.as_str()], arguments, &[file.as_str()]].concat();
    let said = std::thread::scope(|scope| {
        let runs = scope.spawn(|| home.run(&[&["run", "env"], PRODUCTION, &command].concat()).success());
        // Also where it fails the client comes to an end.
        let happened = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| happens(&open)));
        std::fs::remove_file(&open).unwrap();
        let said = runs.join().unwrap();
        happened.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        said
    });
    std::fs::remove_file(client).unwrap();
    said.stdout().to_owned()
}
