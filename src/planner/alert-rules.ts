/** Prometheus's rules that tell when something of a stack is wrong. Pure. */

interface AlertRule {
  readonly alert: string;
  readonly expr: string;
  readonly for: string;
  readonly labels: { readonly severity: "warning" | "critical" };
  readonly annotations: { readonly summary: string; readonly description: string };
}

/** What a file of rules is. */
export interface RuleFile {
  readonly groups: readonly { readonly name: string; readonly rules: readonly AlertRule[] }[];
}

/**
 * Rules over what `berth status --format prometheus` writes, over the metrics of HAProxy's exporter, and over whether
 * the targets of `berth metrics` answer. They hold for all stacks.
 */
export function alertRules(): RuleFile {
  const of = "{{ $labels.instance }} on {{ $labels.host }} (stack {{ $labels.stack }})";
  return {
    groups: [
      {
        name: "berth",
        rules: [
          rule(
            "BerthInstanceUnhealthy",
            "critical",
            "2m",
            "berth_instance_healthy == 0 and berth_instance_reachable == 1",
            {
              summary: `Instance ${of} does not answer`,
              description:
                "Its host answers, and the instance is not healthy. `berth status` and `berth logs` tell more; `pulumi up` mends it.",
            },
          ),
          rule("BerthInstanceLost", "critical", "2m", "berth_instance_deployed == 0 or berth_instance_reachable == 0", {
            summary: `Instance ${of} is lost`,
            description: "Its host does not answer, or the instance is wanted and not deployed.",
          }),
          rule("BerthInstanceDrifted", "warning", "5m", "berth_instance_drifted == 1", {
            summary: `Instance ${of} is not as the state says`,
            description:
              "Somebody changed it, or it changed by itself. `berth status` tells what, `pulumi up` brings it back.",
          }),
          rule("BerthDrift", "warning", "5m", "berth_drifted_resources > 0", {
            summary:
              "{{ $value }} things that instances of stack {{ $labels.stack }} stand on are not as the state says",
            description: "`berth status` tells which, `pulumi up` brings them back.",
          }),
          rule("BerthStatusOld", "warning", "0m", "time() - berth_status_timestamp_seconds > 900", {
            summary: "Nobody has looked at stack {{ $labels.stack }} for a quarter of an hour",
            description:
              "`berth status --format prometheus` does not run any more, so the other alerts of instances mean nothing.",
          }),
          rule(
            "BerthGatewayNoServer",
            "critical",
            "1m",
            'haproxy_backend_active_servers{proxy=~"deployment:.+"} == 0',
            {
              summary: "The gateway on {{ $labels.host }} has no healthy instance of {{ $labels.proxy }}",
              description: "Requests for it are answered with 503 (stack {{ $labels.stack }}).",
            },
          ),
          rule("BerthTargetDown", "critical", "2m", 'up{part=~"gateway|engine"} == 0', {
            summary:
              "The {{ $labels.part }} on {{ $labels.host }} does not answer to Prometheus (stack {{ $labels.stack }})",
            description: "It does not run, or its metrics cannot be reached.",
          }),
        ],
      },
    ],
  };
}

function rule(
  alert: string,
  severity: AlertRule["labels"]["severity"],
  lasting: string,
  expr: string,
  annotations: AlertRule["annotations"],
): AlertRule {
  return { alert, expr, for: lasting, labels: { severity }, annotations };
}
