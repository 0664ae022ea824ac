//! The four forms of small pictures, and that large or hostile ones do no harm.

use proptest::prelude::*;

use super::*;
use crate::graph::Link;

fn link(from: &str, to: &str, kind: Kind) -> PictureLink {
    PictureLink { from: from.into(), to: to.into(), kind }
}

fn node(name: &str, subtitle: &str) -> PictureNode {
    PictureNode { name: name.into(), subtitle: subtitle.into() }
}

/// nginx and the application read each other's address.
fn production() -> Picture {
    Picture {
        title: "climate, production".into(),
        nodes: vec![node("web", "nginx"), node("wps", "pywps"), node("env", "python"), node("db", "postgresql")],
        links: vec![
            link("web", "wps", Kind::Value),
            link("wps", "web", Kind::Value),
            link("wps", "env", Kind::Object),
            link("wps", "db", Kind::Value),
            link("wps", "db", Kind::Start),
            link("cron", "env", Kind::Object),
        ],
    }
}

#[test]
fn as_a_tree() {
    insta::assert_snapshot!(production().tree(), @r"
    climate, production
    cron
    └── env (python) [object]
    web (nginx)
    └── wps (pywps) [value]
        ├── db (postgresql) [value, start]
        ├── env (python) [object]
        └── web (nginx) [value] (*)
    ");
}

#[test]
fn as_dot() {
    insta::assert_snapshot!(production().dot(), @r#"
    digraph {
      graph [rankdir=LR, fontname="sans-serif", labelloc=t, label="climate, production\nsolid: object · dashed: value · dotted: start"]
      node [shape=box, style=rounded, fontname="sans-serif"]
      "cron" [label="cron"]
      "db" [label="db\npostgresql"]
      "env" [label="env\npython"]
      "web" [label="web\nnginx"]
      "wps" [label="wps\npywps"]
      "cron" -> "env" [style=solid, tooltip="object"]
      "web" -> "wps" [style=dashed, tooltip="value"]
      "wps" -> "db" [style=dashed, tooltip="value"]
      "wps" -> "db" [style=dotted, tooltip="start"]
      "wps" -> "env" [style=solid, tooltip="object"]
      "wps" -> "web" [style=dashed, tooltip="value"]
    }
    "#);
}

#[test]
fn as_mermaid() {
    insta::assert_snapshot!(production().mermaid(), @r#"
    ---
    title: "climate, production (solid: object, dashed: value, dotted: start)"
    ---
    flowchart LR
      n0["cron"]
      n1["db<br/>postgresql"]
      n2["env<br/>python"]
      n3["web<br/>nginx"]
      n4["wps<br/>pywps"]
      n0 --> n2
      n3 -.-> n4
      n4 -.-> n1
      n4 -.-> n1
      n4 --> n2
      n4 -.-> n3
      linkStyle 1,2,5 stroke-dasharray:6 4
      linkStyle 3 stroke-dasharray:1 4
    "#);
}

/// Pictures to look at: `cargo test --lib graph::picture -- --ignored` writes them into the folder for temporary files.
#[test]
#[ignore = "writes pictures for eyes"]
fn pictures_to_look_at() {
    let folder = std::env::temp_dir().join("jove-pictures");
    std::fs::create_dir_all(&folder).expect("a folder");
    for (name, picture) in [
        ("production", production()),
        ("demo", demo()),
        ("sites", sites(4)),
        ("large", sites(36)),
        ("random", random(200, 320)),
    ] {
        std::fs::write(folder.join(format!("{name}.svg")), picture.svg()).expect("written");
        std::fs::write(folder.join(format!("{name}.txt")), picture.tree()).expect("written");
    }
}

fn demo() -> Picture {
    Picture {
        title: "demo".into(),
        nodes: vec![node("env", "python"), node("wps", "pywps")],
        links: vec![link("wps", "env", Kind::Object)],
    }
}

/// Sites behind one server, with an environment each and one database.
fn sites(count: usize) -> Picture {
    let mut nodes =
        vec![node("web", "nginx"), node("db", "postgresql"), node("cache", "redis"), node("backup", "command")];
    let mut links = vec![link("backup", "db", Kind::Start), link("backup", "db", Kind::Value)];
    for number in 1..=count {
        let (site, env, task) = (format!("site-{number}"), format!("env-{number}"), format!("migrate-{number}"));
        nodes.extend([node(&site, "wsgi, gunicorn"), node(&env, "python 3.12"), node(&task, "step")]);
        links.extend([
            link("web", &site, Kind::Value),
            link(&site, "web", Kind::Value),
            link(&site, &env, Kind::Object),
            link(&site, "db", Kind::Value),
            link(&site, &task, Kind::Start),
            link(&task, &env, Kind::Object),
            link(&task, "db", Kind::Value),
            link(&task, "db", Kind::Start),
        ]);
        if number % 3 == 0 {
            links.push(link(&site, "cache", Kind::Value));
            links.push(link(&site, "cache", Kind::Start));
        }
    }
    Picture { title: format!("{count} sites behind one server"), nodes, links }
}

/// The same numbers in every run.
fn random(nodes: usize, links: usize) -> Picture {
    let mut seed = 7_u64;
    let mut below = |limit: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(seed >> 33).expect("31 bits") % limit
    };
    let name = |number: usize| format!("part-{number:03}");
    let made = (0..links)
        .map(|_| {
            let from = 1 + below(nodes - 1);
            let to = if below(20) == 0 { below(nodes) } else { below(from) };
            link(&name(from), &name(to), Kind::ALL[below(3)])
        })
        .collect();
    let nodes = (0..nodes).map(|number| node(&name(number), "command")).collect();
    Picture { title: "random".into(), nodes, links: made }
}

#[test]
fn a_picture_of_a_graph_says_what_it_is_told() {
    let links = vec![Link { from: 2, to: 1, kind: Kind::Start, origin: None }];
    let graph = Graph::build([3], links, &Kind::ALL).expect("no circle");
    let made = Picture::of(&graph, "numbers", |number| format!("{number}{number}"));
    assert_eq!(made.nodes, [node("1", "11"), node("2", "22"), node("3", "33")]);
    assert_eq!(made.links, [link("2", "1", Kind::Start)]);
}

#[test]
fn as_svg() {
    let made = demo().svg();
    let (_, drawn) = made.split_once("</style>\n").expect("a style");
    insta::assert_snapshot!(drawn, @r#"
      <rect class="page" width="321" height="176"/>
      <text class="title" x="28" y="42">demo</text>
      <g transform="translate(44.4 66.0)">
        <path class="object-head" d="M147.0 23.0l-8 -4.5v9z"/>
        <path class="line object" d="M84.0 23.0C112.0 23.0 112.0 23.0 140.0 23.0"/>
        <g class="node"><title>env (python)</title><rect class="box" x="148.0" y="0.0" width="84.0" height="46" rx="9"/><text class="name" text-anchor="middle" x="190.0" y="20.5">env</text><text class="subtitle" text-anchor="middle" x="190.0" y="36.0">python</text></g>
        <g class="node"><title>wps (pywps) depends on env (object)</title><rect class="box" x="0.0" y="0.0" width="84.0" height="46" rx="9"/><text class="name" text-anchor="middle" x="42.0" y="20.5">wps</text><text class="subtitle" text-anchor="middle" x="42.0" y="36.0">pywps</text></g>
      </g>
      <g>
        <path class="line object" d="M28.0 144.0H56.0"/>
        <path class="object-head" d="M62.0 144.0l-8 -4.5v9z"/>
        <text class="legend" x="72.0" y="148.0">object: made first, part of the key</text>
      </g>
    </svg>
    "#);
}

#[test]
fn nothing_is_a_picture_too() {
    let made = Picture { title: "empty".into(), nodes: Vec::new(), links: Vec::new() };
    assert_eq!(made.tree(), "empty\n");
    assert!(made.svg().contains("0 parts and 0 dependencies"));
}

/// Indentation that grows with the depth would make gigabytes of this.
#[test]
fn a_long_chain_is_told_in_pieces() {
    let links = (0..100).map(|number| link(&format!("{number:03}"), &format!("{:03}", number + 1), Kind::Object));
    let made = Picture { title: "chain".into(), nodes: Vec::new(), links: links.collect() }.tree();
    let heads: Vec<&str> = made.lines().filter(|line| line.starts_with(|c: char| c.is_ascii_digit())).collect();
    assert_eq!(heads, ["000", "030", "060", "090"]);
    assert!(made.contains("└── 030 [object] (↓)\n"));
    assert_eq!(made.lines().count(), 1 + 101 + 3);
}

#[test]
fn large_graphs_are_drawn_in_all_forms() {
    let chain = (0..10_000).map(|number| link(&number.to_string(), &(number + 1).to_string(), Kind::Object));
    let far = (0..3_000).map(|number| link(&number.to_string(), &(10_000 - number).to_string(), Kind::Value));
    let chain = Picture { title: String::new(), nodes: Vec::new(), links: chain.chain(far).collect() };
    for picture in [chain, sites(2_500), random(2_000, 4_000)] {
        let nodes = picture.sketch().nodes.len();
        assert!(picture.tree().lines().count() > nodes);
        assert!(picture.dot().lines().count() > nodes);
        assert!(picture.mermaid().lines().count() > nodes);
        assert_eq!(picture.svg().matches("<rect class=\"box\"").count(), nodes);
    }
}

fn any_picture() -> impl Strategy<Value = Picture> {
    let text = prop_oneof!["[a-z]{0,3}", ".{0,12}", Just("</title><script>".to_owned()), Just("\"];]\n".to_owned())];
    let kind = prop_oneof![Just(Kind::Value), Just(Kind::Object), Just(Kind::Start)];
    let nodes = proptest::collection::vec((text.clone(), text.clone()), 0..12);
    let links = proptest::collection::vec((0_usize..14, 0_usize..14, kind), 0..40);
    (text, nodes, links).prop_map(|(title, nodes, links)| {
        let name = |number: usize| nodes.get(number).map_or_else(|| format!("n{number}"), |node| node.0.clone());
        let links = links.iter().map(|(from, to, kind)| link(&name(*from), &name(*to), *kind)).collect();
        let nodes = nodes.iter().map(|(name, subtitle)| node(name, subtitle)).collect();
        Picture { title, nodes, links }
    })
}

proptest! {
    /// Names cannot break out of their place: with harmless names instead, the same elements are there.
    #[test]
    fn no_name_breaks_a_form(picture in any_picture()) {
        let sketch = picture.sketch();
        let harmless = |number: usize| format!("h{number:02}");
        let plain = Sketch {
            nodes: Vec::new(),
            links: sketch.links.clone(),
        };
        let names: Vec<String> = (0..sketch.nodes.len()).map(harmless).collect();
        let nodes = names.iter().zip(&sketch.nodes);
        let nodes = nodes.map(|(name, (_, subtitle))| (name.as_str(), if subtitle.is_empty() { "" } else { "s" }));
        let plain = Sketch { nodes: nodes.collect(), ..plain };
        let elements = |text: String| text.matches('<').count();
        prop_assert_eq!(elements(picture.svg()), elements(svg::draw("t", &plain)));
        prop_assert!(!picture.svg().chars().any(|c| c.is_control() && c != '\n'));
        prop_assert_eq!(picture.dot().lines().count(), dot::draw("t", &plain).lines().count());
        prop_assert_eq!(picture.mermaid().lines().count(), mermaid::draw("t", &plain).lines().count());
        prop_assert!(picture.mermaid().lines().skip(3).filter(|line| line.contains('[')).all(|line| line.matches('"').count() == 2));
        prop_assert!(picture.tree().lines().count() > sketch.nodes.len());
    }

    #[test]
    fn boxes_do_not_overlap_and_links_go_to_the_next_column(picture in any_picture()) {
        let sketch = picture.sketch();
        let room = layout::Room { node: 50.0, link: 10.0 };
        let made = layout::lay_out(sketch.nodes.len(), &sketch.links, room);
        let column = made.column_of();
        for piece in &made.pieces {
            prop_assert_eq!(column[piece.left] + 1, column[piece.right]);
        }
        for slots in &made.columns {
            for pair in slots.windows(2) {
                let least = pair.iter().map(|slot| if *slot < made.nodes { 25.0 } else { 5.0 }).sum::<f64>();
                prop_assert!(made.heights[pair[1]] - made.heights[pair[0]] >= least - 1e-6);
            }
        }
        prop_assert!(made.heights.iter().all(|height| height.is_finite() && *height >= 0.0));
    }
}
