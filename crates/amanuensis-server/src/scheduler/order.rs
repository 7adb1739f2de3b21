//! Whose turn it is.

use std::collections::HashMap;

/// How many rounds in a row may go before work that is not urgent, whether it waits for its turn or gives it up.
const PATIENCE: u32 = 3;

/// How soon somebody expects an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Class {
    /// Somebody waits for a recording of one window.
    Short,
    /// Somebody waits for a longer one.
    Long,
    /// Nobody waits.
    Job,
}

impl Class {
    /// Whether it goes before what is not, in rounds of its own.
    pub(crate) fn is_urgent(self) -> bool {
        self == Class::Short
    }
}

/// Somebody who would like a turn.
#[derive(Debug, Clone)]
pub(super) struct Candidate {
    pub(super) class: Class,
    pub(super) client: String,
    /// Which model it needs: a round is of one.
    pub(super) model: usize,
    /// The sooner it came, the smaller.
    pub(super) arrived: u64,
}

/// What each client has had, and how long those who are not urgent have waited.
#[derive(Default)]
pub(super) struct Order {
    /// Windows that were heard for each client that is present.
    accounts: HashMap<String, f64>,
    /// Rounds of urgent work since the last that the rest had to its end.
    passed_over: u32,
}

impl Order {
    /// Lets a client in: it has had as much as the one who had least, so that it neither catches up nor waits.
    pub(super) fn admit(&mut self, client: &str) {
        if !self.accounts.contains_key(client) {
            let least = self.accounts.values().copied().fold(f64::INFINITY, f64::min);
            self.accounts.insert(client.to_owned(), if least.is_finite() { least } else { 0.0 });
        }
    }

    /// Forgets the clients who are not among `present`.
    pub(super) fn forget_all_but<'a>(&mut self, present: impl Iterator<Item = &'a str>) {
        let present: std::collections::HashSet<&str> = present.collect();
        self.accounts.retain(|client, _| present.contains(client.as_str()));
    }

    /// Notes that so many windows were heard for a client.
    pub(super) fn charge(&mut self, client: &str, windows: u64) {
        if let Some(account) = self.accounts.get_mut(client) {
            *account += windows as f64;
        }
    }

    /// Whether a round of the rest is given up when something urgent comes.
    ///
    /// One client that asks again at once whenever it is answered would otherwise keep all others from ever being heard.
    pub(super) fn gives_way(&self) -> bool {
        self.passed_over < PATIENCE
    }

    /// Notes that the rest had a round to its end.
    pub(super) fn rest_was_heard(&mut self) {
        self.passed_over = 0;
    }

    /// Who may have turns in the next round, the first first. Urgent work has rounds of its own, but every fourth round is for
    /// the rest; within a class it is the turn of the client who has had least.
    pub(super) fn next(&mut self, candidates: &[Candidate]) -> Vec<usize> {
        let urgent = candidates.iter().any(|candidate| candidate.class.is_urgent());
        let waiting = candidates.iter().any(|candidate| !candidate.class.is_urgent());
        let take_urgent = urgent && (!waiting || self.gives_way());
        if !waiting {
            self.passed_over = 0;
        } else if take_urgent {
            self.passed_over += 1;
        }
        let mut turns: Vec<usize> =
            (0..candidates.len()).filter(|&index| candidates[index].class.is_urgent() == take_urgent).collect();
        let had = |index: usize| self.accounts.get(&candidates[index].client).copied().unwrap_or(0.0);
        turns.sort_by(|&one, &other| {
            let (a, b) = (&candidates[one], &candidates[other]);
            a.class.cmp(&b.class).then(had(one).total_cmp(&had(other))).then(a.arrived.cmp(&b.arrived))
        });
        let model = turns.first().map(|&first| candidates[first].model);
        turns.retain(|&index| Some(candidates[index].model) == model);
        turns
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(class: Class, client: &str, arrived: u64) -> Candidate {
        Candidate { class, client: client.to_owned(), model: 0, arrived }
    }

    #[test]
    fn urgent_work_has_its_own_rounds_and_the_rest_every_fourth() {
        let all = [candidate(Class::Job, "a", 0), candidate(Class::Short, "b", 1), candidate(Class::Short, "c", 2)];
        let mut order = Order::default();
        // One of the two has had more.
        all.iter().for_each(|candidate| order.admit(&candidate.client));
        order.charge("b", 1);
        let round = |order: &mut Order| {
            let turns = order.next(&all);
            if turns == [0] {
                order.rest_was_heard();
            }
            turns
        };
        let rounds: Vec<Vec<usize>> = (0..8).map(|_| round(&mut order)).collect();
        assert_eq!(rounds, [vec![2, 1], vec![2, 1], vec![2, 1], vec![0], vec![2, 1], vec![2, 1], vec![2, 1], vec![0]]);
        assert_eq!(order.next(&all[..1]), [0], "nobody else is there");
        let urgent: Vec<Vec<usize>> = (0..5).map(|_| order.next(&all[1..])).collect();
        assert!(urgent.iter().all(|turns| *turns == [1, 0]), "nobody else waits");
    }

    #[test]
    fn the_rest_is_heard_though_something_urgent_comes_in_each_of_its_rounds() {
        let all = [candidate(Class::Long, "patient", 0), candidate(Class::Short, "hasty", 1)];
        let mut order = Order::default();
        let mut heard = Vec::new();
        for _ in 0..8 {
            // Between two of its requests the hasty one is not there; its next comes before the other's window is heard.
            assert_eq!(order.next(&all[..1]), [0]);
            let is_given_up = order.gives_way();
            heard.push(!is_given_up);
            if !is_given_up {
                order.rest_was_heard();
            }
            assert_eq!(order.next(&all), [1]);
        }
        assert_eq!(heard, [false, false, false, true, false, false, true, false]);
    }

    #[test]
    fn clients_have_the_same_share() {
        let mut order = Order::default();
        let all: Vec<Candidate> = (0..9)
            .map(|number| candidate(Class::Long, if number == 8 { "modest" } else { "greedy" }, number))
            .collect();
        all.iter().for_each(|candidate| order.admit(&candidate.client));
        let mut had: HashMap<&str, u64> = HashMap::new();
        for _ in 0..40 {
            let first = order.next(&all)[0];
            order.charge(&all[first].client, 1);
            *had.entry(&all[first].client).or_default() += 1;
        }
        assert_eq!((had["modest"], had["greedy"]), (20, 20));
    }

    #[test]
    fn who_comes_late_does_not_catch_up() {
        let mut order = Order::default();
        order.admit("old");
        order.charge("old", 1000);
        order.admit("new");
        let all = [candidate(Class::Long, "old", 0), candidate(Class::Long, "new", 1)];
        assert_eq!(order.next(&all), [0, 1], "both have had the same, the old one came first");
        order.forget_all_but(["new"].into_iter());
        order.admit("old");
        assert_eq!(order.next(&all), [0, 1]);
    }

    #[test]
    fn a_round_is_of_one_model() {
        let mut all =
            vec![candidate(Class::Long, "a", 0), candidate(Class::Long, "a", 1), candidate(Class::Long, "b", 2)];
        all[1].model = 1;
        assert_eq!(Order::default().next(&all), [0, 2]);
    }
}
