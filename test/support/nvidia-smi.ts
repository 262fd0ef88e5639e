/** What `nvidia-smi -q -x` writes, by the form of the fixtures in test/fixtures/accelerators/nvidia. */

export interface SyntheticGpu {
  readonly uuid: string;
  readonly usedMib: number;
  /** 81559 MiB when it is left out. */
  readonly totalMib?: number;
  readonly processes?: readonly { readonly pid: number | string; readonly usedMib: number | "N/A" }[];
}

/** GPUs in the order in which the driver counts them. */
export function nvidiaSmiXml(gpus: readonly SyntheticGpu[]): string {
  const elements = gpus.map(({ uuid, usedMib, totalMib = 81_559, processes = [] }, index) => {
    const rows = processes.map(
      ({ pid, usedMib: used }) => `
      <process_info>
        <gpu_instance_id>N/A</gpu_instance_id>
        <compute_instance_id>N/A</compute_instance_id>
        <pid>${pid}</pid>
        <type>C</type>
        <process_name>/opt/engine/bin/engine</process_name>
        <used_memory>${used === "N/A" ? used : `${used} MiB`}</used_memory>
      </process_info>`,
    );
    return `
  <gpu id="00000000:0${index}:00.0">
    <product_name>NVIDIA H100 80GB HBM3</product_name>
    <product_architecture>Hopper</product_architecture>
    <mig_mode><current_mig>Disabled</current_mig><pending_mig>Disabled</pending_mig></mig_mode>
    <mig_devices>None</mig_devices>
    <uuid>${uuid}</uuid>
    <fb_memory_usage>
      <total>${totalMib} MiB</total>
      <reserved>551 MiB</reserved>
      <used>${usedMib} MiB</used>
      <free>${totalMib - usedMib} MiB</free>
    </fb_memory_usage>
    <processes>${rows.join("")}
    </processes>
  </gpu>`;
  });
  return `<?xml version="1.0" ?>
<!DOCTYPE nvidia_smi_log SYSTEM "nvsmi_device_v12.dtd">
<nvidia_smi_log>
  <driver_version>535.161.08</driver_version>
  <cuda_version>12.2</cuda_version>
  <attached_gpus>${gpus.length}</attached_gpus>${elements.join("")}
</nvidia_smi_log>
`;
}
