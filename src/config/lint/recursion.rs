//! WebDAV's methods that act on a whole tree, and the rules that lie in the tree.

use http::Method;

use super::overlaps::{Asks, asks};
use super::service_rules::Rules;
use crate::access::{Methods, PathOptions, RequestPath, Requirement, Rule, RuleId, Segment};
use crate::config::code::Code;
use crate::config::finding::Finding;

/// Methods that act on everything below a path (RFC 4918, section 9).
const RECURSIVE: [&str; 5] = ["COPY", "MOVE", "DELETE", "PROPFIND", "LOCK"];

/// Methods that WebDAV alone has.
const WEBDAV: [&str; 7] = [
    "COPY",
    "MOVE",
    "PROPFIND",
    "PROPPATCH",
    "MKCOL",
    "LOCK",
    "UNLOCK",
];

/// Stands for any value of a parameter.
const ANY: &str = "~any~";

/// The rules of a WebDAV service that let a recursive method act on a tree in which another rule asks for more. Other
/// services are left alone: in most, `DELETE /jobs` does not reach `/jobs/1/notes`.
pub(super) fn recursive_methods(rules: &Rules<'_>) -> Vec<Finding> {
    if !is_webdav(rules) {
        return Vec::new();
    }
    let ids = (0..).map(RuleId).zip(rules.policy.rules());
    ids.filter_map(|(id, rule)| over_stricter(rules, id, rule))
        .collect()
}

/// Whether a rule names one of WebDAV's methods, or a name of the service or a segment ends in `dav`.
fn is_webdav(rules: &Rules<'_>) -> bool {
    let is_dav = |text: &str| text.to_ascii_lowercase().ends_with("dav");
    let names_it = |rule: &Rule| {
        let methods = match &rule.methods {
            Methods::All => &[][..],
            Methods::Only(methods) => methods,
        };
        methods
            .iter()
            .any(|method| WEBDAV.contains(&method.as_str()))
            || rule
                .pattern
                .segments()
                .iter()
                .any(|segment| matches!(segment, Segment::Literal(text) if is_dav(text)))
    };
    rules.named.split(['-', '_', '.']).any(is_dav)
        || rules
            .mount
            .is_some_and(|mount| mount.segments().any(is_dav))
        || rules.policy.rules().iter().any(names_it)
}

fn over_stricter(rules: &Rules<'_>, outer: RuleId, rule: &Rule) -> Option<Finding> {
    let named = |method: &&str| match &rule.methods {
        Methods::All => true,
        Methods::Only(methods) => methods.iter().any(|own| own.as_str() == *method),
    };
    let methods: Vec<&str> = RECURSIVE.into_iter().filter(named).collect();
    if methods.is_empty() || rule.requirement == Requirement::Nobody {
        return None;
    }
    let tried: Vec<Method> = methods
        .iter()
        .filter_map(|name| name.parse().ok())
        .collect();
    let ids = (0..).map(RuleId).zip(rules.policy.rules());
    let (inner, _) = ids
        .filter(|(id, other)| *id != outer && asks_more(&other.requirement, &rule.requirement))
        .find(|(id, _)| lies_in_tree(rules, (outer, &tried), *id))?;
    let (name, inner_name) = (rules.name(outer), rules.name(inner));
    let message = format!(
        "`{name}` decides {} of a tree in which `{inner_name}` asks for more",
        methods.join(", ")
    );
    let finding = rules.warning(Code::RecursiveMethod, outer, message);
    let note = "these methods reach what lies here, and this rule is not asked";
    Some(finding.note(rules.span(inner), note).help(
        "let these methods act on the tree for those only whom both rules admit, or write \
         `allow_lints: [recursive-method]` where the service itself looks at each path",
    ))
}

/// Whether somebody whom one requirement admits may be refused by the other, as far as it can be said.
fn asks_more(inner: &Requirement, outer: &Requirement) -> bool {
    match (asks(inner), asks(outer)) {
        (Asks::ACondition, Asks::ACondition) => {
            let admitted = |condition| inner.conditions().contains(condition);
            !outer.conditions().iter().all(admitted)
        }
        (inner, outer) => inner > outer,
    }
}

/// Whether the outer rule decides one of the methods on some path, and the inner rule something below that path.
fn lies_in_tree(rules: &Rules<'_>, (outer, methods): (RuleId, &[Method]), inner: RuleId) -> bool {
    let policy = rules.policy;
    let (around, within) = (policy.rule(outer), policy.rule(inner));
    let (root, mut path) = (pieces(around), pieces(within));
    if path.len() < root.len() {
        return false;
    }
    for (piece, root) in path.iter_mut().zip(&root) {
        if *piece == ANY {
            *piece = root;
        }
    }
    if within.pattern.segments().last() == Some(&Segment::Rest) {
        path.push(ANY);
    }
    let find = |method: &Method, pieces: &[&str]| {
        let options = PathOptions {
            allow_encoded_slash: true,
            allow_encoded_reserved: true,
            allow_semicolon: true,
            merge_slashes: false,
        };
        let path = RequestPath::parse(&format!("/{}", pieces.join("/")), options).ok()?;
        policy.find(method, &path)
    };
    let method = match &within.methods {
        Methods::All => methods.first(),
        Methods::Only(methods) => methods.first(),
    };
    method.is_some_and(|method| find(method, &path) == Some(inner))
        && (root.len()..path.len()).any(|depth| {
            methods
                .iter()
                .any(|method| find(method, &path[..depth]) == Some(outer))
        })
}

/// The pieces of a pattern as written, without `**`.
fn pieces(rule: &Rule) -> Vec<&str> {
    let pieces = rule.pattern.source().split('/');
    let piece = |piece| match piece {
        "*" => ANY,
        _ if piece.starts_with('{') => ANY,
        _ => piece,
    };
    pieces
        .filter(|piece| !piece.is_empty() && *piece != "**")
        .map(piece)
        .collect()
}
