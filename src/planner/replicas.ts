/** Names of replicas. Pure. */

/** The name of a replica, counted from 0. */
export function instanceName(deployment: string, number: number): string {
  return `${deployment}-${number}`;
}

/** By deployment, then by number: `chat-10` comes after `chat-9`. */
export function compareInstances(one: string, other: string): number {
  const [deployment, number] = splitName(one);
  const [otherDeployment, otherNumber] = splitName(other);
  if (deployment !== otherDeployment) return deployment < otherDeployment ? -1 : 1;
  return number - otherNumber;
}

function splitName(name: string): [deployment: string, number: number] {
  const end = name.lastIndexOf("-");
  return [name.slice(0, end), Number(name.slice(end + 1))];
}
