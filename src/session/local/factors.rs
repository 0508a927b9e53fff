//! Second factors in this process, and values that are read once.

use super::{Deferred, Local, StoredChange, deferred};
use crate::session::factors::{FactorJob, FactorSwap, SwapFactors};

impl Local {
    pub(super) fn perform_factors(&mut self, job: FactorJob) -> Deferred {
        match job {
            FactorJob::Find(subject, reply) => {
                deferred(reply, self.factors.find(&subject).cloned())
            }
            FactorJob::FindNamed(name, reply) => {
                deferred(reply, self.factors.find_named(&name).cloned())
            }
            FactorJob::Swap(swap, reply) => deferred(reply, self.swap_factors(swap)),
            FactorJob::Remove(subject, reply) => {
                let had_any = self.factors.remove(&subject);
                if had_any {
                    self.changes.push(StoredChange::ForgetFactors(subject));
                }
                deferred(reply, had_any)
            }
            FactorJob::List(from, count, reply) => deferred(reply, self.factors.page(from, count)),
            // a value that is lost with the process is not read twice, which is all that is promised
            FactorJob::Keep(keep, reply) => {
                let is_kept = self.kept.keep(keep.key, keep.value, keep.until, keep.now);
                deferred(reply, is_kept)
            }
            FactorJob::Take(key, now, reply) => deferred(reply, self.kept.take(&key, now)),
        }
    }

    fn swap_factors(&mut self, swap: SwapFactors) -> FactorSwap {
        let became = self.factors.swap(&swap);
        if became == FactorSwap::Done {
            self.changes.push(StoredChange::KeepFactors(swap.factors));
        }
        became
    }
}
