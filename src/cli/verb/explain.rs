//! `explain` and `graph`.

use crate::cli::Exit;
use crate::cli::args::{ExplainArguments, GraphArguments, GraphForm};
use crate::cli::face::Face;
use crate::cli::render::table::table;
use crate::graph::picture::Picture;
use crate::ops::{OpResult, explain, graph};

/// Explains a setting, a part, or the layers.
///
/// # Errors
/// As [`explain::explain`].
pub fn run(face: &Face, arguments: &ExplainArguments) -> OpResult<Exit> {
    let place = face.place("explain")?;
    if arguments.layers {
        let layers = explain::layers(&place)?;
        face.result(&layers, || {
            let rows: Vec<Vec<String>> = layers
                .iter()
                .map(|layer| {
                    let kind = serde_json::to_value(layer.kind).ok();
                    let kind = kind.and_then(|kind| kind.as_str().map(str::to_owned)).unwrap_or_default();
                    vec![kind, layer.source.clone()]
                })
                .collect();
            table(&[], &rows)
        });
    }
    if let Some(subject) = &arguments.subject {
        let explained = explain::explain(&place, subject)?;
        face.result(&explained, || crate::cli::render::explain::explained(&explained));
    }
    Ok(Exit::Ok)
}

/// Draws the graph.
///
/// # Errors
/// As [`graph::picture`].
pub fn graph(face: &Face, arguments: &GraphArguments) -> OpResult<Exit> {
    let picture = graph::picture(&face.place("graph")?)?;
    let text = match arguments.format {
        GraphForm::Dot => picture.dot(),
        GraphForm::Mermaid => picture.mermaid(),
        GraphForm::Svg => picture.svg(),
        GraphForm::Tree => picture.tree(),
    };
    face.result(&data(&picture, arguments.format, &text), || text.clone());
    Ok(Exit::Ok)
}

/// The picture, and what it shows for programs.
fn data(picture: &Picture, form: GraphForm, text: &str) -> serde_json::Value {
    let nodes = picture.nodes.iter().map(|node| serde_json::json!({ "name": node.name, "recipe": node.subtitle }));
    let edges = picture.links.iter();
    let edges =
        edges.map(|link| serde_json::json!({ "from": link.from, "to": link.to, "kind": link.kind.to_string() }));
    serde_json::json!({
        "format": format!("{form:?}").to_lowercase(),
        "text": text,
        "nodes": nodes.collect::<Vec<_>>(),
        "edges": edges.collect::<Vec<_>>(),
    })
}
