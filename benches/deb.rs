//! The lists of packages that apt has on this machine (63,000 packages, say): read into an index, and closed for a web stack.
#![allow(missing_docs, reason = "criterion's macro makes a public function without any")]

use std::hint::black_box;
use std::process::Command;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use jove_install::provider::deb::closure::{Question, close};
use jove_install::provider::deb::index::Index;

const STACK: [&str; 8] = [
    "nginx",
    "postgresql",
    "redis-server",
    "memcached",
    "mariadb-server",
    "rabbitmq-server",
    "apache2",
    "python3-venv",
];

/// What a program prints, if it is there and succeeds.
fn printed(program: &str, arguments: &[&str]) -> Option<String> {
    let done = Command::new(program).args(arguments).env("LC_ALL", "C").output().ok()?;
    done.status.success().then(|| String::from_utf8_lossy(&done.stdout).into_owned())
}

/// The lists of packages that apt has, whatever it packs them in.
fn lists() -> Option<Vec<String>> {
    let files = printed("apt-get", &["indextargets", "--format", "$(FILENAME)", "Created-By: Packages"])?;
    let lists: Option<Vec<String>> =
        files.lines().map(|file| printed("/usr/lib/apt/apt-helper", &["cat-file", file])).collect();
    lists.filter(|lists| !lists.is_empty())
}

fn index(lists: &[String]) -> Index<'_> {
    let mut index = Index::default();
    for (archive, text) in lists.iter().enumerate() {
        index.add(text, archive);
    }
    index
}

fn closed(index: &Index<'_>, packages: &[String]) -> usize {
    let question = Question { packages, without: &[], archives: "apt's lists" };
    close(index, &question).expect("the archive is consistent").len()
}

fn deb(bench: &mut Criterion) {
    let Some(lists) = lists() else { panic!("apt has no lists of packages here: run `apt-get update`") };
    let packages: Vec<String> = STACK.iter().map(ToString::to_string).collect();
    let made = index(&lists);
    let mut group = bench.benchmark_group(format!("{} packages", made.len()));
    group.sample_size(10).throughput(Throughput::Elements(made.len() as u64));
    group.bench_function("read", |b| b.iter(|| index(black_box(&lists)).len()));
    group.bench_function("close", |b| b.iter(|| closed(black_box(&made), &packages)));
    group.bench_function("read and close", |b| b.iter(|| closed(&index(black_box(&lists)), &packages)));
    group.finish();
}

criterion_group!(benches, deb);
criterion_main!(benches);
