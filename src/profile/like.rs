//! `like`: a part begins with another part's merged settings.
//!
//! Copied are recipe (where there is none of its own) and options, not `when`, `needs` and `like`. Chains are allowed; a circle
//! is drawn with the place of each of its edges. Works along chains without recursion, so that a long chain is no danger.

use std::collections::{BTreeMap, HashSet};

use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::name::PartName;

use super::merge::Draft;
use super::rule;

/// After this many mistakes no nearest name is looked for.
const MANY: usize = 100;

/// Gives every part the settings that its `like` copies.
pub(super) fn copy(parts: &mut BTreeMap<PartName, Draft>, found: &mut Diagnostics) {
    let mut done: HashSet<PartName> = HashSet::new();
    let names: Vec<PartName> = parts.keys().cloned().collect();
    for name in names {
        let mut chain = chain(parts, name, &done, found);
        while let Some(part) = chain.pop() {
            copy_one(parts, &part, found);
            done.insert(part);
        }
    }
}

/// The part and those that it is like, nearest first, up to one that is done or like no other. The edge that closes a circle
/// is cut after it was drawn.
fn chain(
    parts: &mut BTreeMap<PartName, Draft>,
    start: PartName,
    done: &HashSet<PartName>,
    found: &mut Diagnostics,
) -> Vec<PartName> {
    let mut chain = vec![start];
    let mut on_it: HashSet<PartName> = chain.iter().cloned().collect();
    loop {
        let Some(last) = chain.last().cloned() else { return chain };
        if done.contains(&last) {
            chain.pop();
            return chain;
        }
        let Some((next, origin)) = parts.get(&last).and_then(|draft| draft.like.clone()) else { return chain };
        if !parts.contains_key(&next) {
            let message = format!("part `{last}` is like `{next}`, which no layer has");
            let known = parts.keys().filter(|name| **name != last).map(PartName::as_str);
            let diagnostic = Diagnostic::error(message).at(&origin, "");
            // Looking for the nearest of thousands for each of thousands would take long.
            let few = found.0.len() < MANY;
            found.push(if few { diagnostic.nearest(next.as_str(), known) } else { diagnostic });
        } else if on_it.contains(&next) {
            let first = chain.iter().position(|name| *name == next).unwrap_or_default();
            found.push(circle(parts, &chain[first..]));
        } else {
            on_it.insert(next.clone());
            chain.push(next);
            continue;
        }
        if let Some(draft) = parts.get_mut(&last) {
            draft.like = None;
            draft.is_whole = false;
        }
        return chain;
    }
}

fn copy_one(parts: &mut BTreeMap<PartName, Draft>, name: &PartName, found: &mut Diagnostics) {
    let Some((from, _)) = parts.get(name).and_then(|draft| draft.like.clone()) else { return };
    let Some(base) = parts.get(&from) else { return };
    let (recipe, is_whole) = (base.recipe.clone(), base.is_whole);
    let copies: Vec<_> = base.options.iter().map(|(option, set)| (option.clone(), rule::copy(set, &from))).collect();
    let Some(draft) = parts.get_mut(name) else { return };
    draft.recipe = draft.recipe.take().or(recipe);
    draft.is_whole &= is_whole;
    for (option, copied) in copies {
        let setting = match draft.options.remove(&option) {
            Some(own) => rule::set_over_copy(copied, option.as_str(), own, found),
            None => copied,
        };
        draft.options.insert(option, setting);
    }
}

fn circle(parts: &BTreeMap<PartName, Draft>, members: &[PartName]) -> Diagnostic {
    let drawn: Vec<&str> = members.iter().chain(members.first()).map(PartName::as_str).collect();
    let message = format!("`like` goes in a circle: {}", drawn.join(" → "));
    let edges = members.iter().filter_map(|name| Some((name, parts.get(name)?.like.as_ref()?)));
    edges.fold(Diagnostic::error(message), |diagnostic, (name, (to, origin))| {
        diagnostic.at(origin, format!("`{name}` is like `{to}`"))
    })
}
