// Which lab is which module: what frame.js mounts under the lab's name.

import { baselineLab } from "./baseline_lab.js";
import { boundLab } from "./bound_lab.js";
import { estimatorsLab } from "./estimators_lab.js";
import { explodeLab } from "./explode_lab.js";
import { gapLab } from "./gap_lab.js";
import { iwaeLab } from "./iwae_lab.js";
import { mixtureLab } from "./mixture_lab.js";
import { mmdLab } from "./mmd_lab.js";
import { proposalLab } from "./proposal_lab.js";
import { signalLab } from "./signal_lab.js";

/** @type {Record<string, import("./lab.d.ts").Experiment<any, any>>} */
export const EXPERIMENTS = {
  "00.bound": boundLab,
  "01.gap": gapLab,
  "02.proposal": proposalLab,
  "02.baseline": baselineLab,
  "03.iwae": iwaeLab,
  "04.signal": signalLab,
  "05.estimators": estimatorsLab,
  "06.explode": explodeLab,
  "06.mmd": mmdLab,
  "07.bounds": mixtureLab,
};
