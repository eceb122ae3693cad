//! What the kernel accounts to a process and its children.

use std::io;

/// The process and everything that it started.
fn family(process: u32) -> io::Result<Vec<u32>> {
    let mut found = vec![process];
    for task in std::fs::read_dir(format!("/proc/{process}/task"))? {
        let children = std::fs::read_to_string(task?.path().join("children")).unwrap_or_default();
        for child in children
            .split_whitespace()
            .filter_map(|text| text.parse().ok())
        {
            found.extend(family(child)?);
        }
    }
    Ok(found)
}

/// Time on a processor, of all threads.
pub(crate) fn nanoseconds(process: u32) -> io::Result<u64> {
    let mut sum = 0;
    for process in family(process)? {
        for task in std::fs::read_dir(format!("/proc/{process}/task"))? {
            let text = std::fs::read_to_string(task?.path().join("schedstat"))?;
            let first = text
                .split(' ')
                .next()
                .and_then(|text| text.parse::<u64>().ok());
            sum += first.unwrap_or(0);
        }
    }
    Ok(sum)
}

/// Memory that is resident now.
pub(crate) fn kibibytes(process: u32) -> io::Result<u64> {
    let mut sum = 0;
    for process in family(process)? {
        let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let number = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
        sum += number.unwrap_or(0);
    }
    Ok(sum)
}
