//! Times pairs of whole processes against each other: `cargo bench --bench pairs -- [-n TIMES] [-w WARM] [--reset CMD] NAME=CMD NAME=CMD`.
//!
//! The two commands run in turn, so that whatever else the machine does meets both alike; the table shows minimum, median and
//! maximum of each and the ratio of their medians. A command is given to `sh -c`. `--reset` is run before each, untimed. Each must
//! succeed: a failure would be the quickest way of all.

use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

const USAGE: &str = "usage: pairs [-n TIMES] [-w WARM] [--reset COMMAND] NAME=COMMAND NAME=COMMAND

  -n TIMES         timed runs of each command (default 15)
  -w WARM          runs of each before, untimed (default 2)
  --reset COMMAND  run before each run, untimed

example:
  cargo bench --bench pairs -- -n 30 ours='jove-install -p demo' theirs='bin/buildout -o'";

struct Asked {
    times: usize,
    warm: usize,
    reset: Option<String>,
    pair: [(String, String); 2],
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    if arguments.is_empty() {
        // `cargo bench` without arguments runs every bench; this one has nothing to time then.
        println!("{USAGE}");
        return ExitCode::SUCCESS;
    }
    match read(&arguments).and_then(|asked| compare(&asked)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

fn read(arguments: &[String]) -> Result<Asked, String> {
    let (mut times, mut warm, mut reset, mut commands) = (15, 2, None, Vec::new());
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let mut value = || rest.next().ok_or_else(|| format!("`{argument}` wants a value\n\n{USAGE}"));
        match argument.as_str() {
            "-n" => times = number(value()?)?,
            "-w" => warm = number(value()?)?,
            "--reset" => reset = Some(value()?.clone()),
            "-h" | "--help" => return Err(USAGE.to_owned()),
            other => {
                let (name, command) =
                    other.split_once('=').ok_or_else(|| format!("`{other}` is not NAME=COMMAND\n\n{USAGE}"))?;
                commands.push((name.to_owned(), command.to_owned()));
            }
        }
    }
    let pair = commands.try_into().map_err(|_| format!("two commands are compared\n\n{USAGE}"))?;
    Ok(Asked { times: times.max(1), warm, reset, pair })
}

fn number(text: &str) -> Result<usize, String> {
    text.parse().map_err(|_| format!("`{text}` is not a number\n\n{USAGE}"))
}

fn compare(asked: &Asked) -> Result<(), String> {
    let mut times = [Vec::new(), Vec::new()];
    for round in 0..asked.warm + asked.times {
        for place in 0..2 {
            // Every other round begins with the other one, so that neither always follows the same.
            let which = (place + round) % 2;
            if let Some(reset) = &asked.reset {
                run(reset)?;
            }
            let took = run(&asked.pair[which].1)?;
            if round >= asked.warm {
                times[which].push(took);
            }
        }
    }
    println!("{:<20} {:>10} {:>10} {:>10} {:>6}", "milliseconds", "minimum", "median", "maximum", "runs");
    let mut medians = Vec::new();
    for ((name, _), times) in asked.pair.iter().zip(&mut times) {
        times.sort_unstable();
        let middle = median(times);
        let show = |time: Duration| format!("{:.2}", time.as_secs_f64() * 1e3);
        let (first, last) = (times[0], times[times.len() - 1]);
        println!("{name:<20} {:>10} {:>10} {:>10} {:>6}", show(first), show(middle), show(last), times.len());
        medians.push(middle.as_secs_f64());
    }
    let [(first, _), (second, _)] = &asked.pair;
    println!(
        "{first} / {second} = {:.3}   {second} / {first} = {:.3}",
        medians[0] / medians[1],
        medians[1] / medians[0]
    );
    Ok(())
}

fn median(sorted: &[Duration]) -> Duration {
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 { sorted[middle] } else { (sorted[middle - 1] + sorted[middle]) / 2 }
}

/// Runs a command and gives the time from its start to its end. The start of `sh` is in it, the same for both.
fn run(command: &str) -> Result<Duration, String> {
    let start = Instant::now();
    let status = Command::new("sh").args(["-c", command]).stdin(Stdio::null()).stdout(Stdio::null()).status();
    let took = start.elapsed();
    match status {
        Ok(status) if status.success() => Ok(took),
        Ok(status) => Err(format!("`{command}` failed ({status}), so its time means nothing")),
        Err(error) => Err(format!("`sh` cannot be run: {error}")),
    }
}
