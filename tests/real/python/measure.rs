//! Our environment against uv's own, in one run: `cargo test --release --test real measure -- --ignored --nocapture`.

use std::time::Duration;

use super::*;

fn median(mut times: Vec<Duration>) -> (Duration, Duration, Duration) {
    times.sort();
    (times[0], times[times.len() / 2], times[times.len() - 1])
}

#[test]
#[ignore = "prints a ratio and asserts nothing"]
fn measure_against_uv() {
    let Some(bench) = Bench::new() else { return };
    let inputs = gather(&bench.inputs(&["pywps", "gunicorn"])).unwrap();
    let pins = resolve(&bench.kit(), &inputs, &[], &Upgrade::None).unwrap();
    let recipe = bench.recipe(&pins, &inputs);
    let theirs = bench.folder.path().join("theirs");
    let warm = bench.folder.path().join("uv-cache");
    let uv = |args: &[&str]| {
        let status =
            Command::new(&bench.uv.path).args(args).arg("--quiet").env("UV_CACHE_DIR", &warm).status().unwrap();
        assert!(status.success());
    };
    let exact: Vec<String> = pins.iter().map(|pin| format!("{}=={}", pin.name, pin.version)).collect();
    let (python, env) = (bench.interpreter.path.display().to_string(), theirs.display().to_string());
    let make = |offline: bool| {
        uv(&["venv", "--python", &python, &env]);
        let mut args = vec!["pip", "install", "--link-mode", "copy", "--python", &env];
        args.extend(offline.then_some("--offline"));
        args.extend(exact.iter().map(String::as_str));
        uv(&args);
    };
    make(false);
    let target = bench.folder.path().join("ours");
    build(&bench.kit(), &target, &recipe).unwrap();
    let (mut ours, mut bytecode, mut uvs) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..9 {
        std::fs::remove_dir_all(&theirs).unwrap();
        let started = Instant::now();
        make(true);
        uvs.push(started.elapsed());
        std::fs::remove_dir_all(&target).unwrap();
        let started = Instant::now();
        let built = build(&bench.kit(), &target, &recipe).unwrap();
        ours.push(started.elapsed() - built.bytecode);
        bytecode.push(built.bytecode);
    }
    let (ours, bytecode, uvs) = (median(ours), median(bytecode), median(uvs));
    println!(
        "ours without bytecode (least, median, most): {ours:.2?}\nbytecode from the cache: {bytecode:.2?}\nuv venv + install --offline --link-mode copy: {uvs:.2?}"
    );
    println!(
        "ratio of medians {:.2}, of the least {:.2}",
        ours.1.as_secs_f64() / uvs.1.as_secs_f64(),
        ours.0.as_secs_f64() / uvs.0.as_secs_f64()
    );
}
