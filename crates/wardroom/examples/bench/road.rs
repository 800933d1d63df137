//! What the road adds to a request: proof, limits, filter and policy, against a request that has none of it.

use crate::{
    figure::{Figure, Target},
    latency::at,
    pace::paced,
    world::World,
};
use std::sync::Arc;

/// Requests per second.
const PACE: u64 = 2000;
/// Connections that they are spread over.
const CLIENTS: usize = 16;

/// Measures it.
pub(crate) async fn added(seconds: u64) -> anyhow::Result<Vec<Figure>> {
    let world = Arc::new(World::new().await?);
    // In turns, so that both meet the same machine.
    let (mut plain, mut whole) = (vec![], vec![]);
    for round in 0..4 {
        let path = if round % 2 == 0 { "/health/live" } else { "/api/v1/tokens?limit=1" };
        let took = paced(PACE, CLIENTS, seconds.div_ceil(2).max(2), || {
            // A client of its own is a connection of its own.
            let (world, own) = (Arc::clone(&world), world.another_client()?);
            Ok(move || {
                let asking = own.get(world.at(path)).bearer_auth(world.token()).send();
                async move {
                    let answer = asking.await?;
                    anyhow::ensure!(answer.status().is_success(), "{path}: {}", answer.status());
                    answer.bytes().await?;
                    Ok(())
                }
            })
        })
        .await?;
        if round % 2 == 0 { &mut plain } else { &mut whole }.extend(took);
    }
    plain.sort_by(f64::total_cmp);
    whole.sort_by(f64::total_cmp);
    let difference = |share| at(&whole, share) - at(&plain, share);
    let note = format!(
        "{PACE}/s over {CLIENTS} connections, open loop, from the moment a request was meant; with proof by token, limits, filter, policy and one look-up: p50 {:.0} µs, p99 {:.0} µs; without: p50 {:.0} µs, p99 {:.0} µs",
        at(&whole, 0.5),
        at(&whole, 0.99),
        at(&plain, 0.5),
        at(&plain, 0.99)
    );
    Ok(vec![
        Figure::new(
            "what the road adds to a request, p50",
            Target::AtMost(300.0),
            difference(0.5),
            "µs",
        ),
        Figure::new(
            "what the road adds to a request, p99",
            Target::AtMost(300.0),
            difference(0.99),
            "µs",
        )
        .note(note),
    ])
}
