//! The graph in memory, at two sizes: ten times the nodes are to cost about ten times the time.
#![allow(missing_docs, reason = "criterion's macro makes a public function without any")]

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use jove_install::graph::{Graph, Kind, Link, Picture, Queue};

/// Sites with an environment and a step each, behind one server and above one database.
fn links(nodes: u64) -> Vec<Link<String>> {
    let link = |from: &str, to: &str, kind| Link { from: from.to_owned(), to: to.to_owned(), kind, origin: None };
    (0..nodes / 3)
        .flat_map(|number| {
            let [site, env, step] = ["site", "env", "step"].map(|name| format!("{name}-{number}"));
            [
                link("web", &site, Kind::Value),
                link(&site, "web", Kind::Value),
                link(&site, &env, Kind::Object),
                link(&step, &env, Kind::Object),
                link(&site, &step, Kind::Start),
                link(&step, "db", Kind::Start),
            ]
        })
        .collect()
}

fn graph(bench: &mut Criterion) {
    let mut group = bench.benchmark_group("graph");
    group.sample_size(20);
    for nodes in [1_000, 10_000] {
        let links = links(nodes);
        let build = |links: Vec<Link<String>>| {
            Graph::build(Vec::new(), links, &[Kind::Object, Kind::Start]).expect("there is no circle in it")
        };
        let built = build(links.clone());
        group.throughput(Throughput::Elements(nodes));
        group.bench_function(BenchmarkId::new("build", nodes), |b| b.iter(|| build(black_box(links.clone()))));
        group.bench_function(BenchmarkId::new("order", nodes), |b| b.iter(|| black_box(&built).order(Kind::Object)));
        group.bench_function(BenchmarkId::new("queue", nodes), |b| {
            b.iter(|| {
                let mut queue = Queue::new(black_box(&built), Kind::Object);
                while let Some(node) = queue.next() {
                    queue.done(&node);
                }
            });
        });
        let picture = Picture::of(&built, "sites", |_| String::new());
        group.bench_function(BenchmarkId::new("tree", nodes), |b| b.iter(|| black_box(&picture).tree()));
        group.bench_function(BenchmarkId::new("svg", nodes), |b| b.iter(|| black_box(&picture).svg()));
    }
    group.finish();
}

criterion_group!(benches, graph);
criterion_main!(benches);
