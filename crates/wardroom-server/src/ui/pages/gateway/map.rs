//! Who reaches which tool servers through the gateway, as a drawing: callers on the left, servers on the right.

use wardroom_wire::tools::{ToolServerView, ToolUsageView};

/// Callers and servers that are drawn at most.
const ROWS_MAX: usize = 10;
/// The height of a row in the drawing's units, which the stylesheet knows as well.
const ROW: usize = 52;

/// A caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MapCaller {
    /// The account's id.
    pub(crate) user: String,
    /// The program that acts in its name.
    pub(crate) client: Option<String>,
    /// By which way in.
    pub(crate) door: String,
    /// Calls.
    pub(crate) calls: u64,
    /// Calls that are under way.
    pub(crate) running: u64,
    /// Calls that did not succeed.
    pub(crate) errors: u64,
}

/// A tool server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MapServer {
    /// Its name.
    pub(crate) name: String,
    /// How it is.
    pub(crate) state: String,
    /// Calls.
    pub(crate) calls: u64,
    /// Calls that are under way.
    pub(crate) running: u64,
    /// Calls that did not succeed.
    pub(crate) errors: u64,
}

/// A line between a row and the gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MapLine {
    /// The path, from one side of the drawing to the other.
    pub(crate) path: String,
    /// How much goes over it: 1 to 4, 0 for nothing.
    pub(crate) weight: u64,
    /// Whether something went wrong on it.
    pub(crate) wrong: bool,
}

/// The drawing.
#[derive(Debug, Clone, Default)]
pub(crate) struct Map {
    /// On the left, those with the most calls first.
    pub(crate) callers: Vec<MapCaller>,
    /// On the right, by name.
    pub(crate) servers: Vec<MapServer>,
    /// Callers that are not drawn.
    pub(crate) callers_more: usize,
    /// Servers that are not drawn.
    pub(crate) servers_more: usize,
}

/// How a server is, in one word.
pub(crate) fn state_of(server: &ToolServerView) -> &str {
    match (server.enabled, server.health.breaker.as_str()) {
        (false, _) => "disabled",
        (true, "closed") => &server.health.state,
        (true, _) => "left alone",
    }
}

impl Map {
    /// Out of servers, and of what went from whom to where.
    pub(crate) fn new(servers: &[ToolServerView], flows: &[ToolUsageView]) -> Self {
        let mut callers: Vec<MapCaller> = vec![];
        for flow in flows {
            let user = flow.user.clone().unwrap_or_default();
            let door = flow.door.clone().unwrap_or_default();
            let known = callers.iter_mut().find(|caller| {
                caller.user == user && caller.client == flow.client && caller.door == door
            });
            match known {
                Some(caller) => {
                    caller.calls += flow.calls;
                    caller.running += flow.running;
                    caller.errors += flow.errors;
                }
                None => callers.push(MapCaller {
                    user,
                    client: flow.client.clone(),
                    door,
                    calls: flow.calls,
                    running: flow.running,
                    errors: flow.errors,
                }),
            }
        }
        callers.sort_by_key(|caller| std::cmp::Reverse(caller.calls));
        let mut drawn: Vec<MapServer> = servers
            .iter()
            .map(|server| {
                let own = flows.iter().filter(|flow| flow.server.as_deref() == Some(&server.name));
                let (calls, running, errors) =
                    own.fold((0, 0, 0), |(calls, running, errors), flow| {
                        (calls + flow.calls, running + flow.running, errors + flow.errors)
                    });
                let state = state_of(server).to_owned();
                MapServer { name: server.name.clone(), state, calls, running, errors }
            })
            .collect();
        let callers_more = callers.len().saturating_sub(ROWS_MAX);
        let servers_more = drawn.len().saturating_sub(ROWS_MAX);
        callers.truncate(ROWS_MAX);
        drawn.truncate(ROWS_MAX);
        Self { callers, servers: drawn, callers_more, servers_more }
    }

    /// The drawing's height.
    pub(crate) fn height(&self) -> usize {
        self.callers.len().max(self.servers.len()).max(1) * ROW
    }

    /// From the callers to the gateway.
    pub(crate) fn left(&self) -> Vec<MapLine> {
        let calls: Vec<(u64, bool)> =
            self.callers.iter().map(|caller| (caller.calls, caller.errors > 0)).collect();
        self.lines(&calls, true)
    }

    /// From the gateway to the servers.
    pub(crate) fn right(&self) -> Vec<MapLine> {
        let bad = |server: &MapServer| server.errors > 0 || server.state == "left alone";
        let calls: Vec<(u64, bool)> =
            self.servers.iter().map(|server| (server.calls, bad(server))).collect();
        self.lines(&calls, false)
    }

    fn lines(&self, rows: &[(u64, bool)], inwards: bool) -> Vec<MapLine> {
        let (height, most) =
            (self.height(), rows.iter().map(|(calls, _)| *calls).max().unwrap_or(0));
        let first = (height - rows.len() * ROW) / 2 + ROW / 2;
        let centre = height / 2;
        let lines = rows.iter().enumerate().map(|(at, (calls, wrong))| {
            let row = first + at * ROW;
            let (from, to) = if inwards { (row, centre) } else { (centre, row) };
            let weight = weight(*calls, most);
            MapLine { path: format!("M0 {from}C50 {from} 50 {to} 100 {to}"), weight, wrong: *wrong }
        });
        lines.collect()
    }
}

/// 1 to 4, by the magnitude of `calls` against that of the busiest row: one call among thousands is still a line.
fn weight(calls: u64, most: u64) -> u64 {
    let magnitude = |count: u64| u64::from(count.checked_ilog2().map_or(0, |log| log + 1));
    (magnitude(calls) * 4).div_ceil(magnitude(most).max(1)).min(4)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::indexing_slicing, reason = "tests")]
    use super::*;

    fn flow(user: &str, server: &str, calls: u64, errors: u64) -> ToolUsageView {
        ToolUsageView {
            server: Some(server.to_owned()),
            tool: None,
            user: Some(user.to_owned()),
            client: None,
            door: Some("mcp".to_owned()),
            calls,
            running: 0,
            errors,
            bytes: 0,
            ms: 0.0,
            p50_ms: None,
            p99_ms: None,
        }
    }

    #[test]
    fn callers_are_put_together_and_lines_follow_what_goes_over_them() {
        let flows = [flow("ann", "a", 1, 0), flow("ben", "a", 900, 2), flow("ben", "b", 100, 0)];
        let map = Map::new(&[], &flows);
        let callers: Vec<(&str, u64)> =
            map.callers.iter().map(|caller| (caller.user.as_str(), caller.calls)).collect();
        assert_eq!(callers, [("ben", 1000), ("ann", 1)]);
        let left = map.left();
        assert_eq!((left[0].weight, left[0].wrong), (4, true));
        assert_eq!((left[1].weight, left[1].wrong), (1, false));
        assert_eq!(left[0].path, "M0 26C50 26 50 52 100 52");
        let many: Vec<ToolUsageView> = (0..12).map(|n| flow(&n.to_string(), "a", 1, 0)).collect();
        let map = Map::new(&[], &many);
        assert_eq!((map.callers.len(), map.callers_more), (10, 2));
        assert_eq!(weight(0, 0), 0);
    }
}
