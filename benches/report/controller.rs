//! The parts that stand as they were printed.

use crate::run::Run;

pub(crate) fn section(run: &Run) -> String {
    format!(
        "
## Controller

What happens to manifests: read and validated as `gatepost check` does; resolved, in a cluster of one Gateway with eleven listeners, 1,000
Services with EndpointSlices and 100 namespaces with a grant each; and one object changed, to the new table and the statuses to write. Then what
is held in memory.

{}
```text
{}
```
",
        run.origin(),
        run.text
    )
}

pub(crate) fn proxies(run: &Run) -> String {
    format!(
        "
## Proxies

The same routes, backend and load for each, interleaved over three rounds. CPU is what the kernel accounts to the proxy's processes,
divided by the answers, every one of which is checked; the proxies have one processor with one worker, load and backend the other.
32 connections wait for one answer each, over HTTP/2 for four. Every proxy writes `X-Forwarded-*` and logs nothing. What was not installed is
left out; reloads of HAProxy and Envoy are not measured.

{}
```text
{}
```
",
        run.origin(),
        run.text
    )
}
