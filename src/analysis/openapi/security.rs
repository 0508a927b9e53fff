//! The security requirements of a document's operations.

use std::fmt;

use serde_json::Value;

/// The security of one operation (OpenAPI 3.1, section 4.8.30; Swagger 2.0, "Security Requirement Object").
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OperationSecurity {
    /// The document says nothing.
    Unsaid,
    /// Nothing is required: an empty list.
    Open,
    /// One of these, or nothing.
    Optional(Vec<SecurityAlternative>),
    /// One of these is required; never empty.
    Required(Vec<SecurityAlternative>),
}

/// Schemes that are required together, each with its scopes; never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecurityAlternative(pub Vec<(String, Vec<String>)>);

impl OperationSecurity {
    /// Reads a `security` list. Entries of another form are skipped and reported in `odd`.
    pub(super) fn read(value: Option<&Value>, odd: &mut Vec<String>, place: &str) -> Self {
        let Some(value) = value else {
            return Self::Unsaid;
        };
        let Value::Array(items) = value else {
            odd.push(format!("{place}: `security` is not a list"));
            return Self::Unsaid;
        };
        let mut alternatives = Vec::new();
        let mut nothing = false;
        for item in items {
            match item {
                Value::Object(schemes) if schemes.is_empty() => nothing = true,
                Value::Object(schemes) => {
                    let scheme = |(name, scopes): (&String, &Value)| (name.clone(), texts(scopes));
                    alternatives.push(SecurityAlternative(schemes.iter().map(scheme).collect()));
                }
                Value::Null
                | Value::Bool(_)
                | Value::Number(_)
                | Value::String(_)
                | Value::Array(_) => {
                    odd.push(format!("{place}: an entry of `security` is not a map"));
                }
            }
        }
        match (alternatives.is_empty(), nothing || items.is_empty()) {
            (true, true) => Self::Open,
            // an entry that cannot be interpreted does not make it open
            (true, false) => Self::Unsaid,
            (false, true) => Self::Optional(alternatives),
            (false, false) => Self::Required(alternatives),
        }
    }
}

fn texts(value: &Value) -> Vec<String> {
    let items = value.as_array().into_iter().flatten();
    items.filter_map(Value::as_str).map(str::to_owned).collect()
}

impl SecurityAlternative {
    /// All scopes that it requires, each once.
    pub fn scopes(&self) -> Vec<&str> {
        let mut scopes: Vec<&str> = Vec::new();
        for scope in self.0.iter().flat_map(|(_, scopes)| scopes) {
            if !scopes.contains(&scope.as_str()) {
                scopes.push(scope);
            }
        }
        scopes
    }
}

/// `nothing`, or `oauth2 (jobs:write), or api_key`.
impl fmt::Display for OperationSecurity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |alternatives: &[SecurityAlternative]| -> String {
            alternatives
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join(", or ")
        };
        match self {
            Self::Unsaid | Self::Open => f.write_str("nothing"),
            Self::Optional(alternatives) => write!(f, "{}, or nothing", list(alternatives)),
            Self::Required(alternatives) => f.write_str(&list(alternatives)),
        }
    }
}

impl fmt::Display for SecurityAlternative {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let schemes = self.0.iter().map(|(name, scopes)| match scopes.as_slice() {
            [] => name.clone(),
            scopes => format!("{name} ({})", scopes.join(", ")),
        });
        f.write_str(&schemes.collect::<Vec<_>>().join(" and "))
    }
}
