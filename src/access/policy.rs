//! The rules of one service, indexed.

use http::Method;

use super::caller::Caller;
use super::decision::Decision;
use super::explain::Explanation;
use super::path::RequestPath;
use super::rule::{Rule, RuleId};

/// The rules of one service. The order in which they were written never matters.
#[derive(Debug)]
pub struct Policy {
    rules: Vec<Rule>,
}

/// Two rules of which neither is more specific.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tie {
    /// The one written first.
    pub first: RuleId,
    /// The one written later.
    pub second: RuleId,
    /// A method for which they tie; `None`: for every method that neither names.
    pub method: Option<Method>,
}

impl Policy {
    /// Indexes the rules. Every tie is reported.
    pub fn build(rules: Vec<Rule>, case_insensitive: bool) -> Result<Self, Vec<Tie>> {
        let _ = case_insensitive;
        Ok(Self { rules })
    }

    /// All rules, by [`RuleId`].
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// The rule of that id.
    pub fn rule(&self, id: RuleId) -> &Rule {
        &self.rules[id.0 as usize]
    }

    /// Decides one request.
    pub fn decide<'a>(&self, method: &Method, path: &'a RequestPath, caller: &'a Caller) -> Decision<'a> {
        let _ = (method, path, caller);
        todo!()
    }

    /// Decides like [`Policy::decide`], by looking at every rule one by one, and says why.
    pub fn explain<'a>(&'a self, method: &Method, path: &'a RequestPath, caller: &'a Caller) -> Explanation<'a> {
        let _ = (method, path, caller);
        todo!()
    }
}
