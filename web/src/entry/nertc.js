/** NERTC's constants and createClient, under NERTC's names. */

export const RECORD_VIDEO_QUALITY_360p = 360;
export const RECORD_VIDEO_QUALITY_480p = 480;
export const RECORD_VIDEO_QUALITY_720p = 720;
export const RECORD_VIDEO_FRAME_RATE_15 = 15;
export const RECORD_VIDEO_FRAME_RATE_30 = 30;

/** Returns the object that pages use as `NERTC`. @template C @param {() => C} createClient */
export const nertc = (createClient) =>
  Object.freeze({
    RECORD_VIDEO_QUALITY_360p,
    RECORD_VIDEO_QUALITY_480p,
    RECORD_VIDEO_QUALITY_720p,
    RECORD_VIDEO_FRAME_RATE_15,
    RECORD_VIDEO_FRAME_RATE_30,
    createClient,
  });
