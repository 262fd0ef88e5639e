/** Where the system's Docker Engine listens. */
export const dockerSocket = "/var/run/docker.sock";
