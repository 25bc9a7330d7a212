/** What `godwit runner --help` says. */
export const RUNNER_HELP = `godwit runner --queue NAME (--allow PATTERN... | --allow-any) [options]

Claims jobs with commands from a work queue and executes them with the shell and the git of this machine.

  --queue NAME          the work queue to claim from
  --allow PATTERN       a command that may be executed, as often as need be; * stands for any text
                        without shell syntax
  --allow-env PATTERN   a variable that jobs may set, as often as need be
  --allow-any           execute whatever the queue holds, with whatever variables

  --url URL             the server (GODWIT_URL, http://127.0.0.1:8787)
  --key-file FILE       a file with the key, or with a line GODWIT_KEY=... or GODWIT_ROOT_KEY=...
  --key KEY             the key itself, which others on this machine can see; better set GODWIT_KEY
  --tenant TENANT       with the root key: the tenant to work for

  --workdir DIR         commands run in it or below (the current folder)
  --worktrees DIR       where working trees of git are made (GODWIT_WORKTREE_DIR, <workdir>/.harn/worktrees)
  --pass-env NAME       a variable of the runner's that commands get, beside PATH, HOME, LANG and their like
  --concurrency N       jobs at a time (1)
  --max-output BYTES    kept of each of a command's two streams: its beginning and its end (65536)
  --ttl DURATION        how long a claim lasts when the runner is gone (60s)
  --grace DURATION      how long running jobs may go on when the runner is stopped (60s)
  --once                one job at most
  --name NAME           how the runner calls itself (host and process id)
  --json                the log as JSON lines
  --help                this text

SIGINT and SIGTERM stop it: it claims nothing more and ends when its jobs do, or when the grace is over. A second signal
ends the jobs at once; what was not done is given back. Exit status: 0 stopped or done, 1 refused or out of reach, 2 a
command line that says nothing.

Example:

  GODWIT_KEY=... npx godwit runner --queue builders --allow 'npm test' --allow 'npm run *' --workdir ~/src/app`;
