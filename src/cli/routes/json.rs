//! The table for programs.

use serde_json::{Map, Value, json};

use super::report::{Cell, Line, RoutesReport, ServiceTable};
use crate::access::{Methods, Mount};
use crate::analysis::CallerAudience;
use crate::config::Service;

pub(super) fn render(report: &RoutesReport<'_>) -> String {
    let roles = report
        .audiences
        .iter()
        .filter_map(|audience| match audience {
            CallerAudience::Role(role) => Some(json!(role)),
            CallerAudience::Anonymous | CallerAudience::SignedIn => None,
        });
    let services = report.services.iter().map(|table| service(report, table));
    let answer =
        json!({ "roles": roles.collect::<Vec<_>>(), "services": services.collect::<Vec<_>>() });
    format!("{answer:#}\n")
}

fn service(report: &RoutesReport<'_>, table: &ServiceTable<'_>) -> Value {
    let hosts: Vec<_> = table
        .service
        .hosts
        .iter()
        .map(ToString::to_string)
        .collect();
    json!({
        "name": table.service.name,
        "hosts": hosts,
        "path": Mount::source(&table.service.mount),
        "rate": table.service.rates.service.map(|rate| rate.to_string()),
        "rules": table.rows.iter().map(|line| rule(report, table.service, line)).collect::<Vec<_>>(),
    })
}

fn rule(report: &RoutesReport<'_>, service: &Service, line: &Line) -> Value {
    let rule = service.policy.rule(line.rule);
    let methods = match &rule.methods {
        Methods::All => Value::Null,
        Methods::Only(methods) => methods
            .iter()
            .map(|method| json!(method.as_str()))
            .collect(),
    };
    let origin = service.origins.get(line.rule.0 as usize);
    let mut access = Map::new();
    let mut roles = Map::new();
    for (audience, cell) in report.audiences.iter().zip(&line.cells) {
        match audience {
            CallerAudience::Anonymous => access.insert("anonymous".to_owned(), value(cell)),
            CallerAudience::SignedIn => access.insert("signed_in".to_owned(), value(cell)),
            CallerAudience::Role(role) => roles.insert(role.to_string(), value(cell)),
        };
    }
    access.insert("roles".to_owned(), roles.into());
    json!({
        "name": rule.name,
        "methods": methods,
        "path": line.path,
        "rate": service.rates.of_rule(line.rule.0).map(|rate| rate.to_string()),
        "file": origin.map(|origin| origin.file.display().to_string()),
        "line": origin.map(|origin| origin.line),
        "access": access,
    })
}

/// `true`, `false`, or the list of conditions of which one must hold.
fn value(cell: &Cell) -> Value {
    match cell {
        Cell::Yes => json!(true),
        Cell::No => json!(false),
        Cell::If(conditions) => json!(conditions),
    }
}
