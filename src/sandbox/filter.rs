//! [`Filter`]: seccomp, prepared. A program under it makes no socket but unix ones.

use std::collections::BTreeMap;
use std::env::consts::ARCH;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    sock_filter,
};

use super::SandboxError;

/// A filter of system calls, as the kernel has it.
#[derive(Debug, Clone)]
pub struct Filter {
    pub(super) program: BpfProgram,
}

impl Filter {
    /// Refuses every socket whose family is not `AF_UNIX`, and io_uring, by which one could be made unseen.
    ///
    /// # Errors
    /// If there is no such filter for this kind of machine.
    pub fn no_network() -> Result<Self, SandboxError> {
        let other = SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::Ne, libc::AF_UNIX as u64)?;
        let other_family = vec![SeccompRule::new(vec![other])?];
        let rules: BTreeMap<i64, Vec<SeccompRule>> = [
            (libc::SYS_socket, other_family.clone()),
            (libc::SYS_socketpair, other_family),
            (libc::SYS_io_uring_setup, Vec::new()),
            (libc::SYS_io_uring_enter, Vec::new()),
            (libc::SYS_io_uring_register, Vec::new()),
        ]
        .into();
        let refuse = SeccompAction::Errno(libc::EPERM.cast_unsigned());
        let filter = SeccompFilter::new(rules, SeccompAction::Allow, refuse, ARCH.try_into()?)?;
        let mut program = BpfProgram::try_from(filter)?;
        if cfg!(target_arch = "x86_64") {
            program.splice(0..0, without_x32());
        }
        Ok(Self { program })
    }
}

/// The x32 calls of a x86-64 kernel have numbers of their own, which no rule names: there are none for a program under the filter.
fn without_x32() -> [sock_filter; 3] {
    const FIRST_X32: u32 = 0x4000_0000;
    let instruction = |code: u32, jt: u8, jf: u8, k: u32| {
        // The kernel's codes are of 16 bits; libc has them in 32.
        sock_filter { code: (code & 0xffff) as u16, jt, jf, k }
    };
    [
        instruction(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0),
        instruction(libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K, 0, 1, FIRST_X32),
        instruction(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ERRNO | libc::ENOSYS.cast_unsigned()),
    ]
}
